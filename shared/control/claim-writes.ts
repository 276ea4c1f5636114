/** What a granted claim writes within its transaction: endpoint, tunnel, commands, audit. */
import { limits } from '../protocol/limits.ts'
import { byCaller, writeAudit } from './audit.ts'
import { type ClaimContext, isFresh, isFromOther, type Read, type Taking } from './claim-attempt.ts'
import { makeCommand, type Outgoing, writeCommand } from './commands.ts'
import { type EndpointDoc, endpoints, type TunnelDoc, tunnels } from './documents.ts'
import { isHolder, liveHolders, release } from './lease-rules.ts'
import { leaveCell } from './name-rules.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { writeRelease, writeTunnel } from './tunnels.ts'

/** @param ends leases of the account that end for it */
export function writePlan(
  tx: Transaction,
  {
    read,
    verdict,
    tunnel,
    ends,
  }: {
    read: Read
    verdict: Taking
    tunnel: Snapshot<TunnelDoc>
    ends: readonly Snapshot<EndpointDoc>[]
  },
): readonly Outgoing[] {
  const { context } = read.attempt
  const { nowMs } = context
  const ended = ends.flatMap((lease) => {
    const isDisplaced = lease.data.expiresAt > nowMs
    return writeRelease(tx, lease, { nowMs, forget: false, isDisplaced })
  })
  if (!isFresh(read)) return [...ended, ...writeClaim(tx, context, { read: { ...read, tunnel }, verdict })]
  const { attempt } = read
  const data = { ...tunnel.data, endpoint: attempt.candidate, cell: context.cell.id, agent: context.agent }
  writeTunnel(tx, context.caller, { ...tunnel, data }, nowMs)
  tx.set(endpoints.ref(attempt.candidate), verdict.next)
  return [...ended, ...writeEviction(tx, context, { read, verdict })]
}

/**
 * Evicts the former holders: of the same tunnel they are over, of another one they claim again and get another address.
 */
function writeEviction(
  tx: Transaction,
  { caller, agent, nowMs }: ClaimContext,
  { read, verdict }: { read: Read; verdict: Taking },
): readonly Outgoing[] {
  if (!verdict.evicts) return []
  const { attempt, candidate } = read
  const { ref } = attempt.tunnel
  if (candidate && isFromOther(read)) {
    const details = { agent, by: ref.id }
    const entry = { ...byCaller(caller), target: candidate.data.tunnel, details }
    writeAudit(tx, { ...entry, action: 'lease.taken_over' }, nowMs)
  }
  const reason = candidate?.data.tunnel === ref.id ? 'superseded' : 'moved'
  return [revoke(tx, attempt.candidate, { ...verdict.next, nowMs, reason })]
}

function revoke(
  tx: Transaction,
  endpoint: string,
  {
    cell,
    epoch,
    nowMs,
    ...told
  }: Pick<EndpointDoc, 'cell' | 'epoch'> & { nowMs: number; reason: string; vacant?: boolean },
): Outgoing {
  const { reason, vacant } = told
  const body = { kind: 'revoke', endpoint, epoch, reason, ...(vacant && { vacant }) } as const
  const outgoing = makeCommand(cell, body, nowMs)
  writeCommand(tx, outgoing)
  return outgoing
}

function writeClaim(
  tx: Transaction,
  context: ClaimContext,
  { read, verdict }: { read: Read; verdict: Taking },
): readonly Outgoing[] {
  const { caller, agent, cell, nowMs } = context
  const { attempt, tunnel, candidate, previous } = read
  const id = attempt.tunnel.ref.id
  tx.set(endpoints.ref(attempt.candidate), verdict.next)
  const fields = { endpoint: attempt.candidate, cell: cell.id, agent }
  const isSame = tunnel?.data.endpoint === attempt.candidate && tunnel.data.agent === agent
  const before = tunnel?.data.cell ?? ''
  const moved =
    !tunnel || before === '' || before === cell.id
      ? {}
      : { formerCell: before, formerCells: leaveCell(tunnel.data, before, nowMs) }
  // A field can only be taken away by writing the whole.
  if (tunnel?.data.refused) {
    const { refused: _, refusedAt: __, ...rest } = tunnel.data
    tx.set(tunnels.ref(id), { ...rest, ...fields, ...moved, updatedAt: nowMs })
  } else if (!isSame) tx.update(tunnels.ref(id), { ...fields, ...moved, updatedAt: nowMs })
  const outgoing: Outgoing[] = [...writeEviction(tx, context, { read, verdict })]
  const isOwn = candidate?.data.tunnel === id
  const isJoin = isOwn && !isHolder(candidate.data, agent) && liveHolders(verdict.next, nowMs).length > 1
  if (isOwn && (verdict.evicts || isJoin)) {
    const entry = { ...byCaller(caller), target: id }
    const action = isJoin ? 'lease.joined' : 'lease.taken_over'
    writeAudit(tx, { ...entry, action, details: { agent } }, nowMs)
  }
  if (previous?.data.tunnel === id) outgoing.push(...leavePrevious(tx, context, { read, previous }))
  return outgoing
}

/** Ends the lease that the tunnel has elsewhere. Visitors of the old address hear that no tunnel is there any more. */
function leavePrevious(
  tx: Transaction,
  { agent, nowMs }: ClaimContext,
  { read, previous: { ref, data } }: { read: Read; previous: Snapshot<EndpointDoc> },
): readonly Outgoing[] {
  if (data.state === 'leased') {
    const left = release(data, { nowMs, forget: true })
    tx.set(ref, left)
    // Final for another agent; this one goes on at the new endpoint, and so do agents that share the tunnel.
    const isShared = read.tunnel?.data.agents === 'many'
    const reason = isShared || isHolder(data, agent) ? 'moved' : 'superseded'
    return [revoke(tx, ref.id, { ...left, nowMs, reason, vacant: true })]
  }
  // It was released before: relays still call it offline.
  if (data.state !== 'resting' || nowMs - data.releasedAt >= limits.placeMs) return []
  return [revoke(tx, ref.id, { ...data, nowMs, reason: 'moved', vacant: true })]
}
