/**
 * Own domains of an account: added, given to a tunnel, looked at now, and removed. Each of these requests a job,
 * checking.ts, which finds out whether the host is the account's. Crosses accounts: the host may be another's.
 */

import { randomBytes } from 'node:crypto'
import { fail } from '../../base/errors.ts'
import { readOwnDomain } from '../../base/host-names.ts'
import { isWildcard } from '../../base/wildcards.ts'
import { byCaller, writeAudit } from '../audit.ts'
import type { Caller } from '../caller.ts'
import { queryAll } from '../cells.ts'
import { publishCommands } from '../commands.ts'
import type { Control } from '../control.ts'
import { withCounts } from '../counting.ts'
import { tunnels } from '../documents.ts'
import { look } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { requireFeature } from '../money/features.ts'
import { beyond } from '../money/lifting.ts'
import type { Page, QueryOptions, Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { doubtQuota, lookToTake, pace, readQuota, writeQuota } from '../quota.ts'
import { requireUnbound } from '../reservations.ts'
import { lookToRemoveName } from '../tunnel-names.ts'
import { bindName } from './binding.ts'
import { checkWish } from './checking.ts'
import { type DomainDoc, domains, verified } from './domain-documents.ts'
import { isOurs } from './places.ts'
import { domainId } from './proof.ts'

/** How often a waiting person may ask; each look is some forty questions to strangers' servers. */
const askEveryMs = 5_000

export type Domain = Snapshot<DomainDoc>
/** Called in the transaction that has the effect, to write what must commit with it. */
type AlsoWrite = (tx: Transaction, made: Domain) => void
type By = Pick<Caller, 'account' | 'actor' | 'from' | 'userAgent'>

/**
 * Claims that a host is the account's own. A repetition changes nothing.
 * @param host in any spelling; `*.` in front of it claims all names one level below
 * @throws name.*, domain.ours, domain.no_tunnel, plan.feature, quota.domains, quota.pace, auth.scope, cell.none
 */
export async function addDomain(
  control: Control,
  caller: Caller,
  { host: text, tunnel = '' }: { readonly host: string; readonly tunnel?: string | undefined },
  alsoWrite?: AlsoWrite,
): Promise<Domain> {
  requireUnbound(caller)
  const read = readOwnDomain(text)
  if ('error' in read) throw read.error
  const { host, domain } = read
  const cells = await control.cells.open()
  if (isOurs(host, cells))
    throw fail('domain.ours', `${host} stands for or lies under a name of this service.`)
  const cell = (await cellOf(control, caller, tunnel)) || cells[0]?.id
  if (cell === undefined) throw fail('cell.none')
  const { account } = caller
  const ref = domains.ref(domainId(account, host))
  const attempt = () =>
    control.store.transact(async (tx) => {
      const nowMs = control.clock.now()
      const found = await tx.get(ref)
      const quota = await readQuota(tx, account)
      const ask = await look(tx, checkWish(ref.id, account), nowMs)
      if (found) {
        alsoWrite?.(tx, found)
        return { made: found, jobs: [] }
      }
      if (isWildcard(host)) await requireFeature(tx, account, 'wildcards')
      requireRoom(caller, quota.data.domains ?? 0)
      const paced = pace(quota.data.paceAt, { online: caller.limits.tunnelsOnline, nowMs })
      if ('error' in paced) throw paced.error
      const made: Domain = { ref, data: fresh({ account, host, domain, cell, tunnel }, nowMs), version: '' }
      tx.set(ref, made.data)
      writeQuota(tx, quota, { domains: 1, paceAt: paced.paceAt })
      writeAudit(tx, { ...byCaller(caller), target: host, action: 'domain.added' }, nowMs)
      alsoWrite?.(tx, made)
      return { made, jobs: [ask()] }
    })
  try {
    const { made, jobs } = await withCounts(control, attempt)
    await kick(control, jobs)
    return made
  } catch (error) {
    await doubtQuota(control, account)
    throw error
  }
}

function fresh(
  given: Pick<DomainDoc, 'account' | 'host' | 'domain' | 'cell' | 'tunnel'>,
  nowMs: number,
): DomainDoc {
  const never = { verifiedAt: 0, goneAt: 0, failingAt: 0, checkedAt: 0 }
  const seen = { findings: [], zone: '', nameServers: [] }
  const claim = randomBytes(16).toString('hex')
  const times = { createdAt: nowMs, nextAt: nowMs, askedAt: nowMs }
  return { ...given, claim, state: 'pending', ...times, ...never, ...seen, revision: 1 }
}

/** @throws quota.domains */
function requireRoom({ limits, plan }: Caller, count: number): void {
  if (count >= limits.domains)
    throw fail(
      'quota.domains',
      `The plan "${plan}" has room for ${limits.domains} own domains, and ${count} are there.`,
      { fields: beyond('domains', count) },
    )
}

/** @returns '' when the tunnel was never online, or none is given. @throws api.not_found, domain.no_tunnel */
async function cellOf({ store }: Control, { account }: Caller, tunnel: string): Promise<string> {
  if (tunnel === '') return ''
  const found = await store.get(tunnels.ref(tunnel))
  if (found?.data.account !== account) throw fail('api.not_found')
  if (found.data.kind === 'tcp')
    throw fail('domain.no_tunnel', `The tunnel "${found.data.name}" is of kind tcp.`)
  return found.data.cell
}

/** Leads the host to this tunnel as soon as it is verified; '' = to none. @throws api.not_found, api.conflict */
export async function giveDomain(
  control: Control,
  caller: Caller,
  {
    host,
    tunnel,
    ifRevision,
  }: { readonly host: string; readonly tunnel: string; readonly ifRevision?: number | undefined },
): Promise<Domain> {
  requireUnbound(caller)
  const cell = await cellOf(control, caller, tunnel)
  const id = domainId(caller.account, host)
  const job = await control.store.transact(async (tx) => {
    const nowMs = control.clock.now()
    const { ref, data } = await readOwn(tx, caller, { host, ifRevision })
    const ask = await look(tx, checkWish(id, caller.account), nowMs)
    // Who has made the record already need not change it.
    const told = data.state === 'pending' && cell !== '' ? { cell } : {}
    tx.set(ref, { ...data, tunnel, ...told, revision: data.revision + 1 })
    writeAudit(tx, { ...byCaller(caller), target: host, action: 'domain.moved', details: { tunnel } }, nowMs)
    return ask()
  })
  // At once if possible; if the name rests the job goes on with it.
  await bindName(control, id)
  await kick(control, [job])
  return readDomain(control, caller, host)
}

/** Looks now instead of when it is due. @throws api.not_found, domain.too_soon */
export async function askAgain(control: Control, caller: Caller, host: string): Promise<Domain> {
  requireUnbound(caller)
  const { domain, job } = await control.store.transact(async (tx) => {
    const nowMs = control.clock.now()
    const found = await readOwn(tx, caller, { host })
    const waitMs = found.data.askedAt + askEveryMs - nowMs
    if (waitMs > 0 && waitMs <= askEveryMs)
      throw fail('domain.too_soon', undefined, { fields: { retryAfterMs: waitMs } })
    const ask = await look(tx, checkWish(found.ref.id, caller.account), nowMs)
    tx.set(found.ref, { ...found.data, askedAt: nowMs })
    return { domain: found, job: ask() }
  })
  await kick(control, [job])
  return domain
}

/** Only the rest of the name stays. @throws api.not_found, api.conflict, auth.scope */
export async function removeDomain(
  control: Control,
  caller: Caller,
  { host, ifRevision }: { readonly host: string; readonly ifRevision?: number | undefined },
): Promise<void> {
  requireUnbound(caller)
  await remove(control, byCaller(caller), { host, ifRevision })
}

/** Removes those of a closed account one after the other, because a transaction's documents are limited. */
export async function removeAllDomains(
  control: Control,
  account: string,
  each: () => Promise<void>,
): Promise<void> {
  const by = { account, actor: 'system', from: '' }
  for (const { data } of await queryAll(control.store, queries.domainsOfAccount, { where: { account } })) {
    await remove(control, by, { host: data.host })
    await each()
  }
}

async function remove(
  control: Control,
  by: By,
  what: { readonly host: string; readonly ifRevision?: number | undefined },
): Promise<void> {
  const outgoing = await control.store.transact(async (tx) => {
    const nowMs = control.clock.now()
    const { ref, data } = await readOwn(tx, by, what)
    const right = await tx.get(verified.ref(data.host))
    const isMine = right?.data.claim === data.claim
    const rest = isMine ? await lookToRemoveName(tx, by, data.host) : undefined
    const take = await lookToTake(tx, by.account)
    tx.delete(ref)
    if (isMine) tx.delete(right.ref)
    take({ domains: -1 })
    writeAudit(tx, { ...by, target: data.host, action: 'domain.removed' }, nowMs)
    return rest?.(nowMs) ?? []
  })
  await publishCommands(control, outgoing)
}

/** @throws api.not_found */
export async function readDomain(control: Control, caller: Caller, host: string): Promise<Domain> {
  return readOwn(control.store, caller, { host })
}

async function readOwn(
  tx: Pick<Transaction, 'get'>,
  { account }: Pick<Caller, 'account'>,
  { host, ifRevision }: { readonly host: string; readonly ifRevision?: number | undefined },
): Promise<Domain> {
  const found = await tx.get(domains.ref(domainId(account, host)))
  if (!found) throw fail('api.not_found')
  if (ifRevision !== undefined && ifRevision !== found.data.revision) throw fail('api.conflict')
  return found
}

/** Newest first. */
export function listDomains(
  control: Control,
  { account }: Caller,
  options: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<DomainDoc>> {
  return control.store.query(queries.domainsOfAccount, { where: { account }, ...options })
}
