/**
 * Counts what an account has, and corrects its quota. It reads the quota, counts, and writes if the quota is unchanged:
 * every counted change writes the quota, which proves the count. Accounts of releases up to 0.1 are counted when they
 * first need it. While such a release runs beside this one, it leaves its own documents (`online`), whose accounts are
 * counted again.
 */
import { isFailure } from '../base/errors.ts'
import { queryAll } from './cells.ts'
import type { AnyControl, Control } from './control.ts'
import type { JobKind, RunningJob } from './jobs/jobs.ts'
import type { Page, QueryOptions, Ref } from './platform.ts'
import { queries } from './query-table.ts'
import { freshQuota, Uncounted } from './quota.ts'
import { type OnlineDoc, quotas } from './quota-documents.ts'

/** While claims come in, they may win each time; the job tries again later. */
const triesMax = 5
const weekMs = 7 * 24 * 3_600_000
const hourMs = 3_600_000
/** Accounts in one step of a job; each takes a few queries. */
const pageSize = 50

/** Runs `change`, and first counts an account that was never counted. */
export async function withCounts<T>(
  control: Pick<AnyControl, 'store' | 'clock'>,
  change: () => Promise<T>,
): Promise<T> {
  try {
    return await change()
  } catch (error) {
    if (!(error instanceof Uncounted)) throw error
    await countAccount(control, error.account)
    return change()
  }
}

/** @throws store.contention when the account kept changing */
async function countAccount(control: Pick<AnyControl, 'store' | 'clock'>, account: string): Promise<void> {
  const { store, clock } = control
  const ref = quotas.ref(account)
  for (let attempt = 1; ; attempt++) {
    const before = await store.get(ref)
    const next = { ...(before?.data ?? freshQuota(account, 0)), ...(await counts(control, account)) }
    const counted = { ...next, countedAt: clock.now() }
    try {
      if (before) await store.update(ref, counted, { version: before.version })
      else await store.create(ref, counted)
      return
    } catch (error) {
      // Another process has just counted it.
      if (isFailure(error, 'store.exists')) return
      if (!isFailure(error, 'store.changed') || attempt >= triesMax) throw error
    }
  }
}

async function counts({ store }: Pick<AnyControl, 'store'>, account: string) {
  const reserved = (kind: 'host' | 'tcp') =>
    queryAll(store, queries.reservedOfAccount, { where: { account, kind } })
  const [defined, leased, keys, members, hosts, ports, domains] = await Promise.all([
    queryAll(store, queries.tunnelsOfAccount, { where: { account } }),
    queryAll(store, queries.leasesOfAccount, { where: { account, state: 'leased' } }),
    queryAll(store, queries.keysOfAccount, { where: { account, revokedAt: 0 } }),
    queryAll(store, queries.membersOfAccount, { where: { account } }),
    reserved('host'),
    reserved('tcp'),
    queryAll(store, queries.domainsOfAccount, { where: { account } }),
  ])
  return {
    tunnels: defined.length,
    online: leased.length,
    keys: keys.length,
    members: members.length,
    reservedHosts: hosts.length,
    reservedPorts: ports.length,
    domains: domains.length,
  }
}

/** For one account that was refused something. */
export function repairQuota(control: Control): JobKind {
  return { name: 'quota.repair', attemptsMax: 12, run: ({ account }) => countAccount(control, account) }
}

/** Counts every account once a week, and those that a release up to 0.1 has touched. */
export function recountQuotas(control: Control): JobKind {
  const run = async (job: RunningJob) => {
    await recountOld(control, job)
    await carryOver(control, job)
  }
  return { name: 'quota.recount', attemptsMax: Number.MAX_SAFE_INTEGER, everyMs: hourMs, run }
}

async function recountOld(control: Control, job: RunningJob): Promise<void> {
  const to = control.clock.now() - weekMs
  for (;;) {
    const { items } = await control.store.query(queries.quotasByCount, { where: {}, to, limit: pageSize })
    if (items.length === 0) return
    for (const { ref } of items) await countAccount(control, ref.id)
    await job.advance({})
    job.signal.throwIfAborted()
  }
}

/**
 * Counts what the old release wrote, and deletes its document when that release has not run for an hour: until then it
 * needs it.
 */
async function carryOver(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  let after: QueryOptions['after']
  do {
    const options = { where: {}, limit: pageSize, ...(after && { after }) }
    const page: Page<OnlineDoc> = await store.query(queries.onlineOfBefore, options)
    for (const { ref, version } of page.items) {
      const known = await store.get(quotas.ref(ref.id))
      await countAccount(control, ref.id)
      if (known && known.data.countedAt <= clock.now() - hourMs) await forget(control, ref, version)
    }
    after = page.next
    if (after) await job.advance({})
    job.signal.throwIfAborted()
  } while (after)
}

/** Deletes it unless the old release has written it meanwhile. */
async function forget({ store }: Control, ref: Ref<OnlineDoc>, version: string): Promise<void> {
  try {
    await store.delete(ref, { version })
  } catch (error) {
    if (!isFailure(error, 'store.changed')) throw error
  }
}
