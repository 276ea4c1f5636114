/** One transaction of a claim: a few endpoints, their tunnels and the account's quota, all or nothing. */
import { fail, type PortTunnelerError } from '../base/errors.ts'
import { byCaller, writeAudit } from './audit.ts'
import type { Caller } from './caller.ts'
import { blankEndpoint, type Cell } from './cells.ts'
import { makeCommand, type Outgoing, writeCommand } from './commands.ts'
import type { Control } from './control.ts'
import { type EndpointDoc, endpoints, type OnlineDoc, online, type TunnelDoc, tunnels } from './documents.ts'
import {
  type CellView,
  decideClaim,
  holdersMax,
  isHolder,
  liveHolders,
  release,
  type Verdict,
} from './lease-rules.ts'
import { leaveCell } from './name-rules.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { presenceOf } from './presence.ts'

/**
 * How many tunnels share a transaction. One that moves by takeover touches 6 documents (tunnel, endpoint, old
 * endpoint, two commands, audit) beside the account's quota; a transaction holds 20.
 */
export const claimsPerTransaction = 3

export type Attempt = { readonly tunnel: string; readonly candidate: string }
export type AttemptResult =
  | { readonly kind: 'leased'; readonly endpoint: EndpointDoc; readonly tunnel: TunnelDoc }
  | { readonly kind: 'refused'; readonly error: PortTunnelerError }
  /** To be asked again, with all that the relays have said. */
  | { readonly kind: 'unread' }
  /** `rests`: of the same account, and free in minutes. */
  | { readonly kind: 'taken' | 'rests' }

export type ClaimContext = {
  readonly caller: Caller
  readonly agent: string
  readonly takeover: boolean
  readonly waitedMs?: number | undefined
  readonly cell: Cell
  readonly view: CellView
  readonly nowMs: number
}

type Read = {
  readonly attempt: Attempt
  readonly tunnel: Snapshot<TunnelDoc> | undefined
  readonly candidate: Snapshot<EndpointDoc> | undefined
  /** The endpoint it had, when the candidate is another. */
  readonly previous: Snapshot<EndpointDoc> | undefined
}

/** Tries every attempt on its candidate; results in the same order. Commands are to be published after it. */
export async function claimTogether(
  control: Control,
  context: ClaimContext,
  attempts: readonly Attempt[],
): Promise<{ readonly results: readonly AttemptResult[]; readonly commands: readonly Outgoing[] }> {
  return control.store.transact(async (tx) => {
    const before = await tx.get(online.ref(context.caller.account))
    const reads: Read[] = []
    for (const attempt of attempts) reads.push(await readAttempt(tx, attempt))
    const entries: Record<string, OnlineDoc['tunnels'][string]> = { ...before?.data.tunnels }
    const commands: Outgoing[] = []
    const results = reads.map((read): AttemptResult => {
      const { attempt, tunnel } = read
      if (tunnel?.data.account !== context.caller.account)
        return { kind: 'refused', error: fail('api.not_found') }
      const verdict = judge(control, context, read)
      if (verdict.kind !== 'take') return refusal(verdict, tunnel.data)
      const isNew = entries[attempt.tunnel] === undefined
      if (isNew && Object.keys(entries).length >= context.caller.limits.tunnelsOnline)
        return overQuota(context.caller)
      entries[attempt.tunnel] = { endpoint: attempt.candidate, epoch: verdict.next.epoch }
      commands.push(...writeClaim(tx, context, { read, verdict }))
      return { kind: 'leased', endpoint: verdict.next, tunnel: tunnel.data }
    })
    if (results.some(({ kind }) => kind === 'leased'))
      tx.set(online.ref(context.caller.account), { account: context.caller.account, tunnels: entries })
    return { results, commands }
  })
}

async function readAttempt(tx: Transaction, attempt: Attempt): Promise<Read> {
  const tunnel = await tx.get(tunnels.ref(attempt.tunnel))
  const candidate = await tx.get(endpoints.ref(attempt.candidate))
  const own = tunnel?.data.endpoint ?? ''
  const previous = own !== '' && own !== attempt.candidate ? await tx.get(endpoints.ref(own)) : undefined
  return { attempt, tunnel, candidate, previous }
}

function judge(control: Control, context: ClaimContext, read: Read): Verdict {
  const { attempt, candidate, previous, tunnel } = read
  const { caller, agent, takeover, waitedMs, cell, view, nowMs } = context
  if (previous && isHeldByOther(previous.data, { tunnel: attempt.tunnel, context })) {
    const presence = presenceOf(previous.ref.id, previous.data, { cell: view, nowMs, waitedMs })
    if (presence.kind !== 'away') return presence
  }
  const isHost = attempt.candidate.startsWith('host:')
  if (!candidate && !isHost) return { kind: 'taken' }
  const current = candidate?.data ?? blankEndpoint(cell.id, 'host', control.random())
  const shares = tunnel?.data.agents === 'many'
  const claimant = { account: caller.account, tunnel: attempt.tunnel, agent, takeover, waitedMs, shares }
  return decideClaim(attempt.candidate, current, { claimant, cell: view, nowMs })
}

function isHeldByOther(
  previous: EndpointDoc,
  { tunnel, context: { agent, takeover, nowMs } }: { tunnel: string; context: ClaimContext },
): boolean {
  const isOwn = previous.state === 'leased' && previous.tunnel === tunnel && previous.expiresAt > nowMs
  return isOwn && !isHolder(previous, agent) && !takeover
}

function refusal(verdict: Exclude<Verdict, { kind: 'take' }>, { name }: TunnelDoc): AttemptResult {
  switch (verdict.kind) {
    case 'held':
      return { kind: 'refused', error: fail('lease.held', `Another agent serves the tunnel "${name}".`) }
    case 'unclear':
      if (verdict.retryInMs === 0) return { kind: 'unread' }
      return { kind: 'refused', error: unclear(name, verdict.retryInMs) }
    case 'full':
      return {
        kind: 'refused',
        error: fail('lease.full', `${holdersMax} agents serve the tunnel "${name}".`),
      }
    default:
      return { kind: verdict.kind }
  }
}

function unclear(name: string, retryAfterMs: number): PortTunnelerError {
  const detail = `Another agent held the tunnel "${name}" and may still serve it; the relays are yet to say.`
  return fail('lease.unclear', detail, { fields: { retryAfterMs } })
}

function overQuota({ plan, limits: { tunnelsOnline } }: Caller): AttemptResult {
  const detail = `${tunnelsOnline} of ${tunnelsOnline} tunnels of the plan "${plan}" are online.`
  return { kind: 'refused', error: fail('quota.tunnels', detail) }
}

function writeClaim(
  tx: Transaction,
  { caller, agent, cell, nowMs }: ClaimContext,
  { read, verdict }: { read: Read; verdict: Extract<Verdict, { kind: 'take' }> },
): readonly Outgoing[] {
  const { attempt, tunnel, candidate, previous } = read
  tx.set(endpoints.ref(attempt.candidate), verdict.next)
  const fields = { endpoint: attempt.candidate, cell: cell.id, agent }
  const isSame = tunnel?.data.endpoint === attempt.candidate && tunnel.data.agent === agent
  const before = tunnel?.data.cell ?? ''
  const moved =
    !tunnel || before === '' || before === cell.id
      ? {}
      : { formerCell: before, formerCells: leaveCell(tunnel.data, before, nowMs) }
  if (!isSame) tx.update(tunnels.ref(attempt.tunnel), { ...fields, ...moved, updatedAt: nowMs })
  const outgoing: Outgoing[] = []
  const revoke = (endpoint: string, { cell, epoch }: EndpointDoc, reason: string) =>
    outgoing.push(makeCommand(cell, { kind: 'revoke', endpoint, epoch, reason }, nowMs))
  if (verdict.evicts) {
    revoke(attempt.candidate, verdict.next, 'superseded')
  }
  const isOwn = candidate?.data.tunnel === attempt.tunnel
  const isJoin = isOwn && !isHolder(candidate.data, agent) && liveHolders(verdict.next, nowMs).length > 1
  if (isOwn && (verdict.evicts || isJoin)) {
    const entry = { ...byCaller(caller), target: attempt.tunnel }
    const action = isJoin ? 'lease.joined' : 'lease.taken_over'
    writeAudit(tx, { ...entry, action, details: { agent } }, nowMs)
  }
  if (previous?.data.state === 'leased' && previous.data.tunnel === attempt.tunnel) {
    const left = release(previous.data, { nowMs, forget: true })
    tx.set(previous.ref, left)
    // Final for another agent; this one goes on at the new endpoint, and so do those it shares it with.
    const isShared = tunnel?.data.agents === 'many'
    revoke(previous.ref.id, left, isShared || isHolder(previous.data, agent) ? 'moved' : 'superseded')
  }
  for (const command of outgoing) writeCommand(tx, command)
  return outgoing
}
