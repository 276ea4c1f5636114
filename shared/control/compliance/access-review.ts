/**
 * Who has rights, and which of them look unused: operators, members by role, keys, people without a second factor,
 * sign-ins that nobody used lately. It walks accounts, so it has a limit and says when it reached it.
 */

import { roleOf } from '../caller.ts'
import type { Control } from '../control.ts'
import { type KeyDoc, users } from '../documents.ts'
import { all } from '../own-data/parts.ts'
import { queries } from '../query-table.ts'

const dayMs = 24 * 3_600_000
/** A right that nobody used for so long is asked about. */
const keyUnusedMs = 90 * dayMs
const signInUnusedMs = 14 * dayMs
/** Accounts that one report walks: half a minute on SQLite, some thousand reads in the cloud. */
const accountsMax = 1_000
/** Rows of each list; the counts are of all. */
const rowsMax = 500

/** A list that may be longer than what is shown. */
class Rows<T> {
  readonly rows: T[] = []
  count = 0

  add(row: T): void {
    this.count++
    if (this.rows.length < rowsMax) this.rows.push(row)
  }

  end() {
    return { count: this.count, rows: this.rows }
  }
}

export async function reviewAccess(control: Control) {
  const { clock } = control
  const nowMs = clock.now()
  const unused = new Rows<{ account: string; key: string; name: string; lastUsedDay: string }>()
  const stale = new Rows<{ person: string; device: string; usedAt: number }>()
  const bare = new Rows<{ person: string; account: string; role: string }>()
  const roles: Record<string, number> = {}
  const seen = new Set<string>()
  let walked = 0
  for (const status of ['active', 'suspended'])
    for await (const { ref } of all(control, queries.accountsByStatus, { where: { status } })) {
      if (walked >= accountsMax) break
      walked++
      for await (const key of all(control, queries.allKeysOfAccount, { where: { account: ref.id } }))
        if (isUnused(key.data, nowMs)) unused.add(wordsOfKey(ref.id, key.data))
      for await (const { data } of all(control, queries.membersOfAccount, { where: { account: ref.id } })) {
        const role = roleOf(data)
        roles[role] = (roles[role] ?? 0) + 1
        const person = (await control.store.get(users.ref(data.user)))?.data
        if (!person) continue
        if (!person.hasFactor) bare.add({ person: data.user, account: ref.id, role })
        if (seen.has(data.user)) continue
        seen.add(data.user)
        await findStale(control, data.user, stale)
      }
    }
  return {
    accounts: walked,
    isPart: walked >= accountsMax,
    operators: await reviewOperators(control),
    roles,
    peopleWithoutFactor: bare.end(),
    unusedKeys: unused.end(),
    staleSignIns: stale.end(),
  }
}

async function findStale(
  control: Control,
  user: string,
  stale: Rows<{ person: string; device: string; usedAt: number }>,
): Promise<void> {
  const nowMs = control.clock.now()
  const before = nowMs - signInUnusedMs
  for await (const { data } of all(control, queries.signInsOfUser, { where: { user }, to: before }))
    if (data.ttl.getTime() > nowMs) stale.add({ person: user, device: data.device, usedAt: data.usedAt })
}

function isUnused(key: KeyDoc, nowMs: number): boolean {
  if (key.revokedAt > 0 || (key.expiresAt ?? Number.POSITIVE_INFINITY) <= nowMs) return false
  const used = key.lastUsedDay === '' ? key.createdAt : Date.parse(key.lastUsedDay)
  return used < nowMs - keyUnusedMs
}

function wordsOfKey(account: string, { key, name, lastUsedDay }: KeyDoc) {
  return { account, key, name, lastUsedDay: lastUsedDay || 'never' }
}

async function reviewOperators(control: Control) {
  const rows: { user: string; email: string; since: number; by: string; hasSecondFactor: boolean }[] = []
  for await (const { ref, data } of all(control, queries.operatorsByState, { where: { state: 'active' } })) {
    const person = (await control.store.get(users.ref(ref.id)))?.data
    const { email = '', hasFactor = false } = person ?? {}
    rows.push({ user: ref.id, email, since: data.since, by: data.by, hasSecondFactor: hasFactor })
  }
  return rows
}
