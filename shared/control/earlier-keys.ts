/**
 * Ends the API keys that a person made earlier: their own, and those of services in accounts that only they own. Used
 * when the first proof of a mailbox shows who really owns an account, and when a person asks for it. A job marks each
 * membership with the time from which its keys count. Authentication reads memberships anyway, so it refuses older keys
 * from then on; `unserve` revokes them and ends what their agents serve.
 */
import { z } from 'zod'
import type { Key } from '../api/schemas/accounts.ts'
import { roleOf } from './caller.ts'
import { queryAll } from './cells.ts'
import type { Control } from './control.ts'
import type { KeyDoc, MemberDoc } from './documents.ts'
import { type JobKind, look, type RunningJob } from './jobs/jobs.ts'
import { kick } from './jobs/kick.ts'
import { describeKey } from './keys.ts'
import type { Snapshot, Store, Transaction } from './platform.ts'
import { membersMax, queries } from './query-table.ts'
import { lookToUnserve, memberOf } from './unserve.ts'

/**
 * Asks for the end of all keys that `user` made before `sinceMs`, which becomes the person's `validSince`. It reads, so
 * call it before the first write. The returned function writes, and returns the job to kick after the commit.
 */
export function lookToEndKeys(
  tx: Transaction,
  { user, sinceMs }: { readonly user: string; readonly sinceMs: number },
  nowMs: number,
): Promise<() => string> {
  return look(tx, { kind: 'keys.end', subject: user, account: '', body: { sinceMs } }, nowMs)
}

const bodySchema = z.object({ sinceMs: z.number() })

export function endEarlierKeys(control: Control): JobKind {
  return { name: 'keys.end', attemptsMax: 100, run: (job) => run(control, job) }
}

async function run(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const { sinceMs } = bodySchema.parse(job.body)
  const asked: string[] = []
  for (const { ref } of await membersWithKeys(store, job.subject))
    await store.transact(async (tx) => {
      const member = await tx.get(ref)
      if (!member) return
      const { account, user, keysSince = 0 } = member.data
      const ask = await lookToUnserve(tx, memberOf(account, user), clock.now())
      tx.update(ref, { keysSince: Math.max(sinceMs, keysSince) })
      asked.push(ask())
    })
  await kick(control, asked)
}

/** The keys that `lookToEndKeys` would end, newest first in each account. */
export async function listKeysOf(store: Pick<Store, 'query'>, user: string): Promise<readonly Key[]> {
  const members = await membersWithKeys(store, user)
  const accounts = new Set(members.map(({ data }) => data.account))
  const listed: Key[] = []
  for (const account of accounts) {
    const valid = await queryAll(store, queries.keysOfAccount, { where: { account, revokedAt: 0 } })
    const own = valid.filter(({ data }) =>
      members.some((member) => member.data.account === account && isCounted(member.data, data)),
    )
    listed.push(...own.map(({ data }) => describeKey(data)))
  }
  return listed
}

function isCounted({ user, keysSince = 0 }: MemberDoc, key: KeyDoc): boolean {
  return key.user === user && key.createdAt >= keysSince
}

/** The person in each of their accounts, and the services of accounts that nobody else owns. */
async function membersWithKeys(
  store: Pick<Store, 'query'> | Transaction,
  user: string,
): Promise<readonly Snapshot<MemberDoc>[]> {
  const { items: own } = await store.query(queries.membersOfUser, { where: { user }, limit: membersMax })
  const services: Snapshot<MemberDoc>[] = []
  for (const { data } of own.filter((member) => roleOf(member.data) === 'owner')) {
    const where = { account: data.account }
    const { items } = await store.query(queries.membersOfAccount, { where, limit: membersMax })
    const isShared = items.some((other) => other.data.user !== user && roleOf(other.data) === 'owner')
    if (!isShared) services.push(...items.filter((other) => other.data.name !== undefined))
  }
  return [...own, ...services]
}
