/** One claim on its way through a transaction: what it asks for, and what was read for it. */
import type { Caller } from './caller.ts'
import type { Cell } from './cells.ts'
import type { EndpointDoc, TunnelDoc } from './documents.ts'
import type { CellView, Verdict } from './lease-rules.ts'
import type { Snapshot } from './platform.ts'

export type Attempt = {
  readonly context: ClaimContext
  /** The tunnel as read; a new one has no version, and is made together with its first lease. */
  readonly tunnel: Snapshot<TunnelDoc>
  readonly candidate: string
  /** Whether the candidate is exactly what was asked for, by port or name. */
  readonly insists: boolean
  /** What relays of the cell that the tunnel leaves have said; undefined: it stays in its cell. */
  readonly former?: CellView | undefined
  /** Leases that may end for this one, if they are unchanged since they were read. */
  readonly displaced: readonly Snapshot<EndpointDoc>[]
}
export type ClaimContext = {
  readonly caller: Caller
  readonly agent: string
  readonly takeover: boolean
  readonly waitedMs?: number | undefined
  /** When the agent's program was started, by our clock; undefined: it does not say. */
  readonly startedAt?: number | undefined
  readonly cell: Cell
  readonly view: CellView
  readonly nowMs: number
}

export type Read = {
  readonly attempt: Attempt
  /** Undefined when the name was free, or the tunnel no longer exists. */
  readonly tunnel: Snapshot<TunnelDoc> | undefined
  readonly isNamed: boolean
  readonly candidate: Snapshot<EndpointDoc> | undefined
  /** The endpoint it had, when the candidate is another one. */
  readonly previous: Snapshot<EndpointDoc> | undefined
  /** The ones among them that are unchanged. */
  readonly displaced: readonly Snapshot<EndpointDoc>[]
}
export type Taking = Extract<Verdict, { kind: 'take' }>

/** Whether it ends the lease of another tunnel of the account whose agents are away. */
export function isFromOther({ attempt, candidate }: Read): boolean {
  return candidate?.data.state === 'leased' && candidate.data.tunnel !== attempt.tunnel.ref.id
}

export function isFresh({ attempt }: Read): boolean {
  return attempt.tunnel.version === ''
}
