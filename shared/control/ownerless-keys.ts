/**
 * Keys that a key had made in releases up to 0.1 name no owner, so nothing ends them and the role written in them
 * counts. Once a day they are given to a service member of that role, which the account's people can see, change and
 * remove like any other. It is daily because such a release may run beside this one.
 */
import { newId } from '../base/ids.ts'
import { writeAudit } from './audit.ts'
import { roleOf } from './caller.ts'
import type { Control } from './control.ts'
import { withCounts } from './counting.ts'
import { type KeyDoc, type MemberDoc, members } from './documents.ts'
import type { JobKind, RunningJob } from './jobs/jobs.ts'
import type { Page, QueryOptions, Snapshot } from './platform.ts'
import { membersMax, queries } from './query-table.ts'
import { readQuota, writeQuota } from './quota.ts'

const everyMs = 24 * 3_600_000
const pageSize = 50
export const ownerOfOldKeys = 'Keys of earlier releases'

export function giveOwners(control: Control): JobKind {
  const run = (job: RunningJob) => giveAll(control, job)
  return { name: 'keys.owners', attemptsMax: Number.MAX_SAFE_INTEGER, everyMs, run }
}

async function giveAll(control: Control, job: RunningJob): Promise<void> {
  let after: QueryOptions['after']
  do {
    const options = { where: { user: '' }, limit: pageSize, ...(after && { after }) }
    const page: Page<KeyDoc> = await control.store.query(queries.keysByUser, options)
    for (const key of page.items) {
      job.signal.throwIfAborted()
      await withCounts(control, () => giveOne(control, key))
    }
    after = page.next
    if (after) await job.advance({})
  } while (after)
}

function giveOne({ store, clock }: Control, { ref, data: { account } }: Snapshot<KeyDoc>): Promise<void> {
  return store.transact(async (tx) => {
    const latest = await tx.get(ref)
    if (latest?.data.user !== '') return
    const quota = await readQuota(tx, account)
    const { items } = await tx.query(queries.membersOfAccount, { where: { account }, limit: membersMax })
    const before = roleOf(latest.data)
    // A service cannot own an account, and a key never could do what only owners may.
    const role = before === 'owner' ? 'admin' : before
    const known = items.find(({ data }) => data.name === ownerOfOldKeys && data.role === role)
    const nowMs = clock.now()
    const user = known?.data.user ?? newId('svc', nowMs)
    if (!known) {
      const name = ownerOfOldKeys
      const member: MemberDoc = { account, user, role, since: nowMs, status: 'active', name }
      tx.create(members.ref(`${account}:${user}`), member)
      writeQuota(tx, quota, { members: 1 })
      const entry = { account, actor: 'system', from: '', target: user }
      writeAudit(tx, { ...entry, action: 'member.added', details: { name, role } }, nowMs)
    }
    tx.update(latest.ref, { user })
  })
}
