/**
 * Who has rights, and which of them look unused: operators, members by role, keys, people without a second factor,
 * sign-ins that nobody used lately. It walks accounts, so it has a limit and says when it reached it.
 */

import { roleOf } from '../caller.ts'
import type { Control } from '../control.ts'
import { type KeyDoc, type MemberDoc, users } from '../documents.ts'
import { all } from '../own-data/parts.ts'
import { queries } from '../query-table.ts'

const dayMs = 24 * 3_600_000
/** A right that nobody used for so long is asked about. */
const keyUnusedMs = 90 * dayMs
const signInUnusedMs = 14 * dayMs
/** Accounts that one report walks: some thousand reads in the cloud, where a call may take a minute. */
const accountsMax = 1_000
/** Side by side: in the cloud most of the time is waiting. */
const accountsAtOnce = 16
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
  const unused = new Rows<UnusedKey>()
  const stale = new Rows<StaleSignIn>()
  const bare = new Rows<{ person: string; account: string; role: string }>()
  const roles: Record<string, number> = {}
  const seen = new Set<string>()
  let walked = 0
  for (const status of ['active', 'suspended'])
    for await (const piece of pieces(all(control, queries.accountsByStatus, { where: { status } }))) {
      const ids = piece.slice(0, accountsMax - walked).map(({ ref }) => ref.id)
      if (ids.length === 0) break
      walked += ids.length
      for (const one of await Promise.all(ids.map((id) => reviewAccount(control, id)))) {
        for (const key of one.keys) unused.add(key)
        for (const { person, role, hasFactor, signIns } of one.members) {
          roles[role] = (roles[role] ?? 0) + 1
          if (!hasFactor) bare.add({ person, account: one.account, role })
          if (seen.has(person)) continue
          seen.add(person)
          for (const signIn of signIns) stale.add(signIn)
        }
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

type UnusedKey = ReturnType<typeof wordsOfKey>
type StaleSignIn = { readonly person: string; readonly device: string; readonly usedAt: number }

async function* pieces<T>(found: AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let piece: T[] = []
  for await (const one of found) {
    piece.push(one)
    if (piece.length < accountsAtOnce) continue
    yield piece
    piece = []
  }
  if (piece.length > 0) yield piece
}

async function reviewAccount(control: Control, account: string) {
  const nowMs = control.clock.now()
  const where = { account }
  const unused: UnusedKey[] = []
  for await (const { data } of all(control, queries.allKeysOfAccount, { where }))
    if (isUnused(data, nowMs)) unused.push(wordsOfKey(account, data))
  const found: MemberDoc[] = []
  for await (const { data } of all(control, queries.membersOfAccount, { where })) found.push(data)
  const their = await control.store.getAll(found.map(({ user }) => users.ref(user)))
  const members = found.flatMap((member, at) => {
    const person = their[at]?.data
    // A service has no sign-in, and so no factor either.
    return person ? [{ person: member.user, role: roleOf(member), hasFactor: person.hasFactor === true }] : []
  })
  return {
    account,
    keys: unused,
    members: await Promise.all(
      members.map(async (one) => ({ ...one, signIns: await staleOf(control, one.person) })),
    ),
  }
}

async function staleOf(control: Control, user: string): Promise<readonly StaleSignIn[]> {
  const nowMs = control.clock.now()
  const stale: StaleSignIn[] = []
  for await (const { data } of all(control, queries.signInsOfUser, {
    where: { user },
    to: nowMs - signInUnusedMs,
  }))
    if (data.ttl.getTime() > nowMs) stale.push({ person: user, device: data.device, usedAt: data.usedAt })
  return stale
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
