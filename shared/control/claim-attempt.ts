/** One claim on its way through a transaction: what is asked for, and what was read for it. */
import type { Caller } from './caller.ts'
import type { Cell } from './cells.ts'
import type { EndpointDoc, TunnelDoc } from './documents.ts'
import type { CellView, Verdict } from './lease-rules.ts'
import type { Snapshot } from './platform.ts'

export type Attempt = {
  readonly context: ClaimContext
  /** As it was read; one that is not there yet has no version, and is made together with its first lease. */
  readonly tunnel: Snapshot<TunnelDoc>
  readonly candidate: string
  /** The candidate is what was asked for, by its port or its name. */
  readonly insists: boolean
  /** What relays of the cell that the tunnel leaves have said; absent: it stays in its cell. */
  readonly former?: CellView | undefined
  /** Leases that may end for this one, unless they have changed since they were looked at. */
  readonly displaced: readonly Snapshot<EndpointDoc>[]
}
export type ClaimContext = {
  readonly caller: Caller
  readonly agent: string
  readonly takeover: boolean
  readonly waitedMs?: number | undefined
  readonly cell: Cell
  readonly view: CellView
  readonly nowMs: number
}

export type Read = {
  readonly attempt: Attempt
  /** Undefined where the name was free, or the tunnel is no more. */
  readonly tunnel: Snapshot<TunnelDoc> | undefined
  readonly isNamed: boolean
  readonly candidate: Snapshot<EndpointDoc> | undefined
  /** The endpoint it had, when the candidate is another. */
  readonly previous: Snapshot<EndpointDoc> | undefined
  /** Those that are still as they were looked at. */
  readonly displaced: readonly Snapshot<EndpointDoc>[]
}
export type Taking = Extract<Verdict, { kind: 'take' }>

/** It ends the lease of another tunnel of the account, whose agents are away. */
export function isFromOther({ attempt, candidate }: Read): boolean {
  return candidate?.data.state === 'leased' && candidate.data.tunnel !== attempt.tunnel.ref.id
}

export function isFresh({ attempt }: Read): boolean {
  return attempt.tunnel.version === ''
}
