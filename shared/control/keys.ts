/** API keys: the secret is shown once, its SHA-256 is the document's id, and no scope goes beyond its maker's. */
import type { Key, Role, Scope } from '../api/schemas/accounts.ts'
import { fail } from '../base/errors.ts'
import { hashSecret, newId, newSecret } from '../base/ids.ts'
import { writeAudit } from './audit.ts'
import { type Caller, requireScope } from './caller.ts'
import type { Control } from './control.ts'
import { type KeyDoc, keys } from './documents.ts'
import type { Page, QueryOptions, Transaction } from './platform.ts'
import { queries } from './query-table.ts'

export type CreatedKey = { readonly key: Key; readonly secret: string }
export type NewKey = { readonly name: string; readonly scopes: readonly Scope[] }

/** Whom a key belongs to, and by whose limits. */
export type KeyOwner = Pick<Caller, 'account' | 'actor' | 'limits' | 'from'> & {
  readonly user: string
  readonly role: Role
}

/** @throws key.limit, auth.scope for scopes that the caller does not have */
export async function createKey(
  control: Control,
  caller: Caller,
  input: NewKey,
  alsoWrite?: (tx: Transaction, key: Key) => void,
): Promise<CreatedKey> {
  requireScope(caller, 'admin')
  const owner = { ...caller, user: caller.user?.id ?? '' }
  await requireRoom(control, owner)
  return control.store.transact(async (tx) =>
    writeKey(tx, owner, { input, nowMs: control.clock.now(), alsoWrite }),
  )
}

/** @throws key.limit */
export async function requireRoom(
  control: Control,
  { account, limits }: Pick<KeyOwner, 'account' | 'limits'>,
): Promise<void> {
  const where = { account, revokedAt: 0 }
  const limit = Math.min(limits.keys, 500)
  const { items } = await control.store.query(queries.keysOfAccount, { where, limit })
  if (items.length >= limit) throw fail('key.limit', `The plan has room for ${limit} keys.`)
}

/** Writes a fresh key within `tx`. */
export function writeKey(
  tx: Transaction,
  { account, actor, user, role, from }: KeyOwner,
  {
    input: { name, scopes },
    nowMs,
    alsoWrite,
  }: { input: NewKey; nowMs: number; alsoWrite?: ((tx: Transaction, key: Key) => void) | undefined },
): CreatedKey {
  const secret = newSecret('pts')
  const id = newId('key', nowMs)
  const data: KeyDoc = {
    account,
    user,
    key: id,
    role,
    scopes,
    name,
    hint: secret.slice(-4),
    createdAt: nowMs,
    lastUsedDay: '',
    revokedAt: 0,
  }
  const key = describeKey(data)
  tx.create(keys.ref(hashSecret(secret)), data)
  const entry = { account, actor, from, target: id }
  writeAudit(tx, { ...entry, action: 'key.created', details: { name, scopes } }, nowMs)
  alsoWrite?.(tx, key)
  return { key, secret }
}

/** Valid ones, newest first. */
export function listKeys(
  control: Control,
  account: string,
  options: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<KeyDoc>> {
  return control.store.query(queries.keysOfAccount, { where: { account, revokedAt: 0 }, ...options })
}

/**
 * From the next request on the key is refused. A key may revoke itself (`ptun logout`), whatever its scopes.
 * @throws api.not_found, auth.scope
 */
export async function revokeKey(control: Control, caller: Caller, id: string): Promise<void> {
  if (caller.actor !== id) requireScope(caller, 'admin')
  const { account, actor, from } = caller
  const nowMs = control.clock.now()
  const { items } = await control.store.query(queries.keyById, { where: { account, key: id }, limit: 1 })
  const [found] = items
  if (found?.data.revokedAt !== 0) throw fail('api.not_found')
  await control.store.transact(async (tx) => {
    const latest = await tx.get(found.ref)
    if (latest?.data.revokedAt !== 0) throw fail('api.not_found')
    tx.set(latest.ref, { ...latest.data, revokedAt: nowMs })
    writeAudit(tx, { account, actor, from, target: id, action: 'key.revoked' }, nowMs)
  })
}

export function describeKey({ key, name, scopes, createdAt, lastUsedDay, hint }: KeyDoc): Key {
  return { id: key, name, scopes: [...scopes], createdAt, hint, ...(lastUsedDay && { lastUsedDay }) }
}
