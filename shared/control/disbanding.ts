/** When a tunnel for many agents is set to one again: its agents claim anew, and the first of them goes on. */
import { makeCommand, type Outgoing } from './commands.ts'
import type { EndpointDoc } from './documents.ts'
import { disband, liveHolders } from './lease-rules.ts'
import type { Snapshot, Transaction } from './platform.ts'

/** Tells agents that share the lease to claim again: one of them gets it, and the others hear that it is held. */
export function writeDisbanding(
  tx: Transaction,
  { ref, data }: Snapshot<EndpointDoc>,
  nowMs: number,
): Outgoing[] {
  if (data.state !== 'leased' || liveHolders(data, nowMs).length < 2) return []
  const next = disband(data, nowMs)
  tx.set(ref, next)
  const body = { kind: 'revoke', endpoint: ref.id, epoch: next.epoch, reason: 'moved' } as const
  return [makeCommand(next.cell, body, nowMs)]
}
