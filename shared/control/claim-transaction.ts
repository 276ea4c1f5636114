/**
 * One transaction of claims: some endpoints, their tunnels and the account's quota, all or nothing. Several agents of
 * an account share it, since all of them change the one quota (claim-lane.ts).
 */
import { fail, type PortTunnelerError } from '../base/errors.ts'
import { takenDownError } from './abuse/taken-down.ts'
import { blankEndpoint } from './cells.ts'
import {
  type Attempt,
  type ClaimContext,
  isFresh,
  isFromOther,
  type Read,
  type Taking,
} from './claim-attempt.ts'
import { noTunnelRoom, overQuota, refusal } from './claim-refusals.ts'
import { writePlan } from './claim-writes.ts'
import type { Outgoing } from './commands.ts'
import type { Control } from './control.ts'
import { withCounts } from './counting.ts'
import { type EndpointDoc, endpoints, type TunnelDoc, tunnelNames, tunnels } from './documents.ts'
import { decideClaim, isHolder, type Verdict } from './lease-rules.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { presenceOf } from './presence.ts'
import { pace, readQuota, writeQuota } from './quota.ts'
import { stopOf } from './stop-rules.ts'
import { storeLimits } from './store-rules.ts'

/** So much is kept of what a program calls itself; ptun needs half of it. */
const programMax = 160

export type AttemptResult =
  | { readonly kind: 'leased'; readonly endpoint: EndpointDoc; readonly tunnel: TunnelDoc }
  | { readonly kind: 'refused'; readonly error: PortTunnelerError }
  /** Ask again, with everything that the relays have said. */
  | { readonly kind: 'unread' }
  /** `named`: another tunnel has got the name meanwhile. */
  | { readonly kind: 'taken' | 'named' }
  /** It belongs to the same account, and will be free in minutes or at that time. */
  | { readonly kind: 'rests'; readonly untilMs?: number }
  /** The plan has no more leases, or tunnels; `over` is the number of leases too many. */
  | { readonly kind: 'full'; readonly over: number; readonly error: PortTunnelerError }
  | { readonly kind: 'crowded'; readonly error: PortTunnelerError }
  /** This transaction has no room, or another claim in it wants the same. */
  | { readonly kind: 'again' }

type Plan = { readonly read: Read; readonly verdict: Verdict; readonly tunnel: Snapshot<TunnelDoc> }
/** Tries every attempt with its candidate. Results are in the same order. Publish the commands after it. */
export async function claimTogether(
  control: Control,
  account: string,
  { attempts, deadlineMs }: { readonly attempts: readonly Attempt[]; readonly deadlineMs: number },
): Promise<{ readonly results: readonly AttemptResult[]; readonly commands: readonly Outgoing[] }> {
  const run = async (tx: Transaction) => {
    const reads = await Promise.all(attempts.map((attempt) => readAttempt(tx, attempt)))
    const plans = reads.map((read) => planOf(control, read))
    const needsQuota = plans.some((plan) => 'verdict' in plan && isCounted(plan))
    const quota = needsQuota ? await readQuota(tx, account) : undefined
    const sums = { tunnels: quota?.data.tunnels ?? 0, online: quota?.data.online ?? 0 }
    let paceAt = quota?.data.paceAt ?? 0
    const touched = new Set<string>()
    let documents = reads.reduce((sum, read) => sum + readsOf(read), quota ? 1 : 0)
    const commands: Outgoing[] = []
    const results = plans.map((plan): AttemptResult => {
      if ('kind' in plan) return plan
      const { read, verdict, tunnel } = plan
      if (verdict.kind !== 'take') return refusal(verdict, tunnel.data, read.attempt.candidate)
      const ids = touches(read)
      if (ids.some((id) => touched.has(id))) return { kind: 'again' }
      const checked = check(plan, { sums, paceAt })
      if ('kind' in checked) return checked
      const more = writesOf(read, verdict) + checked.ends.length
      if (documents + more > storeLimits.transactionDocuments) return { kind: 'again' }
      documents += more
      for (const id of ids) touched.add(id)
      ;({ paceAt } = checked)
      sums.online += checked.online
      sums.tunnels += isFresh(read) ? 1 : 0
      commands.push(...writePlan(tx, { read, verdict, tunnel, ends: checked.ends }))
      return { kind: 'leased', endpoint: verdict.next, tunnel: tunnel.data }
    })
    const { data } = quota ?? {}
    if (quota && data && results.some(({ kind }) => kind === 'leased'))
      writeQuota(tx, quota, {
        tunnels: sums.tunnels - data.tunnels,
        online: sums.online - data.online,
        paceAt,
      })
    return { results, commands }
  }
  return withCounts(control, () => control.store.transact(run, { deadlineMs }))
}

/** The fewest documents that it touches: claims are grouped by this, and what then does not fit is tried again. */
export function leastWeightOf({ tunnel: { version, data }, candidate, displaced }: Attempt): number {
  const isElsewhere = data.endpoint !== '' && data.endpoint !== candidate
  return (version === '' ? 4 : 2) + (isElsewhere ? 1 : 0) + 2 * displaced.length
}

function readsOf({ previous, displaced }: Read): number {
  return 2 + (previous ? 1 : 0) + displaced.length
}

/** What it writes beyond what it has read: a tunnel, commands, audit entries. */
function writesOf(read: Read, { evicts }: Taking): number {
  return (isFresh(read) ? 2 : 1) + (evicts ? 1 : 0) + (read.previous ? 1 : 0) + (isFromOther(read) ? 1 : 0)
}

function touches({ attempt, candidate, previous, displaced }: Read): readonly string[] {
  const { ref, data } = attempt.tunnel
  const ids = [ref.id, attempt.candidate, previous?.ref.id ?? '', ...displaced.map((one) => one.ref.id)]
  const names = [`name:${data.name}`, candidate?.ref.id ?? '']
  return [...new Set([...ids, ...names])].filter((id) => id !== '')
}

async function readAttempt(tx: Transaction, attempt: Attempt): Promise<Read> {
  const { tunnel: known, candidate: id } = attempt
  const isFreshOne = known.version === ''
  const { account, name } = known.data
  const [named, tunnel, candidate] = await Promise.all([
    isFreshOne ? tx.get(tunnelNames.ref(`${account}:${name}`)) : undefined,
    isFreshOne ? undefined : tx.get(tunnels.ref(known.ref.id)),
    tx.get(endpoints.ref(id)),
  ])
  const own = tunnel?.data.endpoint ?? ''
  const previous = own !== '' && own !== id ? await tx.get(endpoints.ref(own)) : undefined
  const latest = await Promise.all(attempt.displaced.map(({ ref }) => tx.get(ref)))
  const displaced = latest.flatMap((one, index) =>
    one && one.version === attempt.displaced[index]?.version ? [one] : [],
  )
  return { attempt, tunnel, isNamed: named !== undefined, candidate, previous, displaced }
}

function planOf(control: Control, read: Read): Plan | AttemptResult {
  const { attempt, isNamed } = read
  if (isNamed) return { kind: 'named' }
  const tunnel = isFresh(read) ? attempt.tunnel : read.tunnel
  if (tunnel?.data.account !== attempt.context.caller.account)
    return { kind: 'refused', error: fail('api.not_found') }
  if (tunnel.data.takenDown) return { kind: 'refused', error: takenDownError(tunnel.data) }
  return { read, tunnel, verdict: judge(control, attempt.context, { ...read, tunnel }) }
}

/** Whether it changes the quota: a claim that gets back what it had does not even read it. */
function isCounted({ read, verdict, tunnel }: Plan): boolean {
  return verdict.kind === 'take' && (growthOf(read) !== 0 || isMove(read, tunnel) || isFresh(read))
}

/** Whether it gets an address that it did not have before. */
function isMove({ attempt }: Read, { data }: Snapshot<TunnelDoc>): boolean {
  return data.endpoint !== attempt.candidate
}

/** How many more leases than before: none if it has one already, here or elsewhere. */
function growthOf({ attempt, candidate, previous }: Read): number {
  const isLeased = candidate?.data.state === 'leased'
  const leaves = previous?.data.state === 'leased' && previous.data.tunnel === attempt.tunnel.ref.id
  return 1 - (isLeased ? 1 : 0) - (leaves ? 1 : 0)
}

type Checked = {
  readonly paceAt: number
  readonly online: number
  /** Leases that end for it. */
  readonly ends: readonly Snapshot<EndpointDoc>[]
}

/** Checks against the plan's limits. A claim that does not increase the number always passes. */
function check(
  { read, tunnel }: Plan,
  { sums, paceAt }: { sums: { readonly tunnels: number; readonly online: number }; paceAt: number },
): Checked | AttemptResult {
  const { caller, nowMs } = read.attempt.context
  const { tunnelsOnline, tunnelsDefined } = caller.limits
  if (isFresh(read) && sums.tunnels >= tunnelsDefined) return { kind: 'crowded', error: noTunnelRoom(caller) }
  const growth = growthOf(read)
  const over = growth > 0 ? Math.max(0, sums.online + growth - tunnelsOnline) : 0
  if (over > read.displaced.length) return { kind: 'full', over, error: overQuota(caller) }
  const ends = read.displaced.slice(0, over)
  const online = growth - ends.length
  if (!isMove(read, tunnel)) return { paceAt, online, ends }
  const paced = pace(paceAt, { online: tunnelsOnline, nowMs })
  if ('error' in paced) return { kind: 'refused', error: paced.error }
  return { paceAt: paced.paceAt, online, ends }
}

function judge(control: Control, context: ClaimContext, read: Read): Verdict {
  const { attempt, candidate, previous, tunnel } = read
  const { caller, agent, takeover, waitedMs, startedAt, cell, view, nowMs } = context
  for (const endpoint of [candidate, previous]) {
    const isOwn = endpoint?.data.tunnel === attempt.tunnel.ref.id
    const key = isOwn && stopOf(endpoint.data, { agent, startedAt, nowMs })
    if (key) return { kind: 'stopped', key }
  }
  if (previous && isHeldByOther(previous.data, { tunnel: attempt.tunnel.ref.id, context })) {
    const witnesses = attempt.former ?? view
    const presence = presenceOf(previous.ref.id, previous.data, { cell: witnesses, nowMs, waitedMs })
    if (presence.kind !== 'away') return presence
  }
  const isHost = attempt.candidate.startsWith('host:')
  if (!candidate && !isHost) return { kind: 'taken' }
  const current = candidate?.data ?? blankEndpoint(cell.id, 'host', control.random())
  const shares = tunnel?.data.agents === 'many'
  const key = caller.actor
  const claimant = {
    account: caller.account,
    tunnel: attempt.tunnel.ref.id,
    agent,
    takeover,
    waitedMs,
    shares,
    // A bound key cannot end leases of other tunnels.
    insists: attempt.insists && caller.tunnels === undefined,
    key,
    seen: { from: caller.from, program: (caller.userAgent ?? '').slice(0, programMax) },
  }
  return decideClaim(attempt.candidate, current, { claimant, cell: view, nowMs })
}

function isHeldByOther(
  previous: EndpointDoc,
  { tunnel, context: { agent, takeover, nowMs } }: { tunnel: string; context: ClaimContext },
): boolean {
  const isOwn = previous.state === 'leased' && previous.tunnel === tunnel && previous.expiresAt > nowMs
  return isOwn && !isHolder(previous, agent) && !takeover
}
