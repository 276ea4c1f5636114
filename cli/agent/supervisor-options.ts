/** What an agent consists of: who it is, what it should serve, and its connections to the outside. */
import type { Lease } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { Turn } from '@porttunneler/shared/mux/turn'
import type { Emit } from './events.ts'
import type { LeaseApi } from './home.ts'
import type { Inspect } from './inspect.ts'
import type { DialRelay } from './relay-runner-options.ts'
import type { SavedLease, WantedTunnel } from './tunnels.ts'
import type { EndTls } from './visitor-stream.ts'

export type SupervisorOptions = {
  readonly agent: string
  readonly server: string
  readonly pid: number
  readonly wanted: readonly WantedTunnel[]
  readonly takeover: boolean
  readonly api: LeaseApi
  readonly dial: DialRelay
  readonly turn: Turn
  readonly clock: Clock
  readonly random: () => number
  readonly emit: Emit
  /** For tunnels whose visitors' TLS ends here. */
  readonly endTls?: EndTls
  /** Looks at requests as they pass. */
  readonly inspect?: Inspect | undefined
  /** The proxy to relays, as it is shown to people; undefined: none. */
  readonly proxy?: () => string | undefined
  /** Leases of the last run, by position in `wanted`. */
  readonly saved: readonly (SavedLease | undefined)[]
  /** Keeps a lease for the next run; `index` continues for tunnels that a reload added. */
  save(index: number, saved: SavedLease, wanted: WantedTunnel): void
  /** The lease was given back: the next run requests it anew instead of binding it. */
  retire(lease: Lease): void
  /** Deletes a saved lease that must not be bound again. */
  forget(lease: Lease): void
}
