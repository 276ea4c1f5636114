/**
 * API keys: the secret is shown once and its SHA-256 is the document's id. A key belongs to a member (a person or a
 * service member), never has more rights than that member has at the moment, and ends with the membership.
 */

import { permissionsOf, type Scope } from '../api/schemas/access.ts'
import type { Key } from '../api/schemas/accounts.ts'
import { fail, isFailure } from '../base/errors.ts'
import { hashSecret, newId, newSecret } from '../base/ids.ts'
import { requireProvenMail } from './abuse/proven-mail.ts'
import { byCaller, writeAudit } from './audit.ts'
import { type Caller, roleOf } from './caller.ts'
import type { AccountControl, AnyControl } from './control.ts'
import { withCounts } from './counting.ts'
import { type KeyDoc, keys, type MemberDoc, members } from './documents.ts'
import { kick } from './jobs/kick.ts'
import { writeKeyExpiry } from './key-expiry.ts'
import { lookToNotify } from './mail/notices.ts'
import { beyond } from './money/lifting.ts'
import type { Page, QueryOptions, Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { doubtQuota, lookToTake, type Quota, readQuota, writeQuota } from './quota.ts'
import { requireHeld, requireLive, requireStill } from './still.ts'
import { lookToUnserve } from './unserve.ts'

const dayMs = 86_400_000

export type CreatedKey = { readonly key: Key; readonly secret: string }
export type NewKey = {
  readonly name: string
  readonly scopes: readonly Scope[]
  /** Names of the only tunnels that it may touch; default: all. */
  readonly tunnels?: readonly string[] | undefined
  /** A service member to own it; default: the person who asks. */
  readonly member?: string | undefined
  /** Days after which it ends by itself; default: when it is revoked. */
  readonly expiresInDays?: number | undefined
}

/** The owner of a key, with the limits that apply. */
export type KeyOwner = Pick<Caller, 'account' | 'actor' | 'limits' | 'from' | 'userAgent'> & {
  readonly member: string
}

/**
 * @throws key.limit, auth.unverified, auth.scope for rights beyond the owner's, api.not_found for an unknown service
 * member
 */
export async function createKey(
  control: AccountControl,
  caller: Caller,
  input: NewKey,
  alsoWrite?: (tx: Transaction, key: Key) => void,
): Promise<CreatedKey> {
  const { account, member: self, user, from } = caller
  requireProvenMail(control, caller)
  const member = input.member ?? self
  const [created, job] = await withKeyRoom(control, caller, async (tx) => {
    const found = await tx.get(members.ref(`${account}:${member}`))
    if (!found || (member !== self && found.data.name === undefined)) throw fail('api.not_found')
    const clockMs = control.clock.now()
    if (member === self) requireHeld(caller, found.data, { needs: 'keys.own', nowMs: clockMs })
    else await requireStill(tx, caller, { needs: 'keys.manage', nowMs: clockMs })
    requireLive(caller, found.data, clockMs)
    requireUseful(input.scopes, permissionsOf(roleOf(found.data)))
    const quota = await readKeyRoom(tx, caller)
    const nowMs = countsFrom(found.data, clockMs)
    const told = { event: 'key', user: user?.id ?? '', name: input.name, from } as const
    const tell = user && (await lookToNotify(tx, told, { account, nowMs }))
    const lifeMs = input.expiresInDays === undefined ? undefined : input.expiresInDays * dayMs
    const made = writeKey(tx, { ...caller, member }, { input, quota, nowMs, lifeMs, alsoWrite })
    return [made, tell?.()] as const
  })
  if (job !== undefined) await kick(control, [job])
  return created
}

/**
 * The creation time of a key of `member`. A key made at the very moment in which earlier ones end must not be one of
 * them.
 */
export function countsFrom({ keysSince = 0 }: MemberDoc, nowMs: number): number {
  return Math.max(nowMs, keysSince)
}

type Room = Pick<KeyOwner, 'account' | 'limits'>

/** Runs a transaction that may make a key. @throws key.limit */
export async function withKeyRoom<T>(
  control: Pick<AnyControl, 'store' | 'clock' | 'bus' | 'log'>,
  { account }: Pick<Room, 'account'>,
  change: (tx: Transaction) => Promise<T>,
): Promise<T> {
  try {
    return await withCounts(control, () => control.store.transact(change))
  } catch (error) {
    if (isFailure(error, 'key.limit')) await doubtQuota(control, account)
    throw error
  }
}

/** @throws key.limit */
export async function readKeyRoom(tx: Transaction, { account, limits }: Room): Promise<Quota> {
  const quota = await readQuota(tx, account)
  if (quota.data.keys >= limits.keys)
    throw fail('key.limit', `The plan has room for ${limits.keys} keys.`, {
      fields: beyond('keys', quota.data.keys),
    })
  return quota
}

/**
 * Refuses scopes that the owner cannot use: otherwise that would show only when the key is refused. @throws auth.scope
 */
function requireUseful(scopes: readonly Scope[], own: ReadonlySet<string>): void {
  const missing = scopes.find((scope) => scope === 'admin' && !own.has('account.update'))
  const empty = scopes.find((scope) => scope === 'tunnels' && !own.has('tunnels.serve'))
  const scope = missing ?? empty
  if (scope) throw fail('auth.scope', `The owner of the key may not do what the scope "${scope}" stands for.`)
}

/** Writes a fresh key within `tx`. */
export function writeKey(
  tx: Transaction,
  owner: KeyOwner,
  {
    input: { name, scopes, tunnels },
    quota,
    nowMs,
    lifeMs,
    alsoWrite,
  }: {
    input: NewKey
    quota: Quota
    nowMs: number
    /** How long it lives; undefined: until it is revoked. */
    lifeMs?: number | undefined
    alsoWrite?: ((tx: Transaction, key: Key) => void) | undefined
  },
): CreatedKey {
  const { account, member } = owner
  const secret = newSecret('pts')
  const id = newId('key', nowMs)
  const data: KeyDoc = {
    account,
    user: member,
    key: id,
    scopes,
    ...(tunnels && { tunnels }),
    name,
    hint: secret.slice(-4),
    createdAt: nowMs,
    lastUsedDay: '',
    ...(lifeMs !== undefined && { expiresAt: nowMs + lifeMs }),
    revokedAt: 0,
  }
  const key = describeKey(data)
  tx.create(keys.ref(hashSecret(secret)), data)
  writeQuota(tx, quota, { keys: 1 })
  const entry = { ...byCaller(owner), target: id }
  const { expiresAt } = data
  const details = { name, scopes, member, ...(tunnels && { tunnels }), ...(expiresAt && { expiresAt }) }
  writeAudit(tx, { ...entry, action: 'key.created', details }, nowMs)
  if (lifeMs !== undefined) writeKeyExpiry(tx, { account, key: id, dueAt: nowMs + lifeMs }, nowMs)
  alsoWrite?.(tx, key)
  return { key, secret }
}

/** Valid keys, newest first. A caller that does not manage keys gets only their own, so pages may be short. */
export async function listKeys(
  control: AccountControl,
  { permissions, member }: Caller,
  options: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<KeyDoc>> {
  const page = await control.store.query(queries.keysOfAccount, { where: { revokedAt: 0 }, ...options })
  if (permissions.has('keys.manage')) return page
  return { ...page, items: page.items.filter(({ data }) => data.user === member) }
}

/**
 * Refuses the key from the next request on, and ends what its agents serve within seconds. A caller that may not manage
 * keys can revoke their own, and a key can revoke itself (`ptun logout`), whatever its scopes. @throws api.not_found,
 * auth.scope
 */
export async function revokeKey(control: AccountControl, caller: Caller, id: string): Promise<void> {
  const nowMs = control.clock.now()
  const { items } = await control.store.query(queries.keyById, { where: { key: id }, limit: 1 })
  const [found] = items
  if (found?.data.revokedAt !== 0) throw fail('api.not_found')
  const isOwn = caller.actor === id || (caller.user !== undefined && found.data.user === caller.member)
  const job = await control.store.transact(async (tx) => {
    const latest = await tx.get(found.ref)
    if (latest?.data.revokedAt !== 0) throw fail('api.not_found')
    if (!isOwn) await requireStill(tx, caller, { needs: 'keys.manage', nowMs })
    const take = await lookToTake(tx, caller.account)
    const unserve = await lookToUnserve(tx, { account: caller.account, subject: id }, nowMs)
    tx.set(latest.ref, { ...latest.data, revokedAt: nowMs })
    take({ keys: -1 })
    writeAudit(tx, { ...byCaller(caller), target: id, action: 'key.revoked' }, nowMs)
    return unserve()
  })
  await kick(control, [job])
}

export function describeKey(doc: KeyDoc): Key {
  const { key, name, scopes, tunnels, user, createdAt, lastUsedDay, expiresAt, hint } = doc
  return {
    id: key,
    name,
    scopes: [...scopes],
    ...(tunnels && { tunnels: [...tunnels] }),
    ...(user !== '' && { member: user }),
    createdAt,
    hint,
    ...(lastUsedDay && { lastUsedDay }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
}
