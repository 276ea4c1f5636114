import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { hashSecret } from '../base/ids.ts'
import { ensureAccount } from './accounts.ts'
import { auditDocument } from './audit.ts'
import { audit } from './audit-documents.ts'
import { keys, members, users } from './documents.ts'
import { createKey, revokeKey } from './keys.ts'
import { queries } from './query-table.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let t: TestControl
beforeEach(() => {
  t = makeTestControl()
})
afterEach(() => t.close())

async function signUp() {
  return (await t.identity.register({ email, password }, { from: '' })).tokens.accessToken
}

describe('principals', () => {
  test('a person has one account, however many first requests come at once', async () => {
    const token = await signUp()
    const callers = await Promise.all(Array.from({ length: 20 }, () => t.principals.authenticate(token, '')))
    expect(new Set(callers.map(({ account }) => account)).size).toBe(1)
    const [first] = callers
    expect(first).toMatchObject({ role: 'owner', accountName: 'ada', scopes: [], plan: 'pro' })
    const where = { user: first?.user?.id ?? '' }
    expect((await t.control.store.query(queries.membersOfUser, { where, limit: 5 })).items).toHaveLength(1)
  })

  test('tokens from before "log out everywhere" are refused within 30 s', async () => {
    const token = await signUp()
    const { user } = await t.principals.authenticate(token, '')
    const ref = users.ref(user?.id ?? '')
    await t.control.store.update(ref, { validSince: t.clock.now() + 1 })
    t.clock.advance(30_000)
    await expect(t.principals.authenticate(token, '')).rejects.toMatchObject({ key: 'auth.invalid' })
    await t.control.store.update(ref, { validSince: 0, status: 'disabled' })
    t.clock.advance(30_000)
    await expect(t.principals.authenticate(token, '')).rejects.toMatchObject({ key: 'auth.disabled' })
  })

  test("roles and account come from our documents: a stranger's subject of the same address is another person", async () => {
    const ada = await ensureAccount(t.control, { subject: 'a:1', email, emailVerified: true, authTimeMs: 0 })
    const eve = await ensureAccount(t.control, { subject: 'b:1', email, emailVerified: true, authTimeMs: 0 })
    expect(eve.members[0]?.account).not.toBe(ada.members[0]?.account)
  })
})

describe('keys', () => {
  test('the store keeps only a hash, and the use of a key is written once a day', async () => {
    const caller = await t.caller()
    const { secret, key } = await createKey(t.of(caller), caller, { name: 'ci', scopes: ['read'] })
    expect(secret).toMatch(/^pts_[\w-]{43}$/)
    expect(key.hint).toBe(secret.slice(-4))
    const ref = keys.ref(hashSecret(secret))
    expect(JSON.stringify(await t.control.store.get(ref))).not.toContain(secret)
    await t.principals.authenticate(secret, '')
    const first = await t.control.store.get(ref)
    expect(first?.data.lastUsedDay).toBe('2026-01-01')
    await t.principals.authenticate(secret, '')
    expect((await t.control.store.get(ref))?.version).toBe(first?.version)
    t.clock.advance(24 * 3_600_000)
    await t.principals.authenticate(secret, '')
    expect((await t.control.store.get(ref))?.data.lastUsedDay).toBe('2026-01-02')
  })

  test('a revoked key is refused from the next request on', async () => {
    const caller = await t.caller()
    const { secret, key } = await createKey(t.of(caller), caller, { name: 'ci', scopes: ['read'] })
    await t.principals.authenticate(secret, '')
    await revokeKey(t.of(caller), caller, key.id)
    await expect(t.principals.authenticate(secret, '')).rejects.toMatchObject({ key: 'auth.invalid' })
    await expect(revokeKey(t.of(caller), caller, key.id)).rejects.toMatchObject({ key: 'api.not_found' })
  })

  test('no key gets rights that its owner lacks, and a lost role narrows the keys at once', async () => {
    const caller = await t.caller()
    const { secret } = await createKey(t.of(caller), caller, { name: 'ci', scopes: ['admin'] })
    const rights = async () => [...(await t.principals.authenticate(secret, '')).permissions]
    expect(await rights()).toContain('account.update')
    const member = members.ref(`${caller.account}:${caller.member}`)
    await t.control.store.update(member, { role: 'viewer' })
    expect(await rights()).not.toContain('tunnels.serve')
    const wanted = { name: 'ci', scopes: ['tunnels'] as const }
    await expect(createKey(t.of(caller), caller, wanted)).rejects.toMatchObject({ key: 'auth.scope' })
    await t.control.store.update(member, { role: 'member' })
    expect(await rights()).toContain('tunnels.serve')
    await t.control.store.delete(member)
    await expect(rights()).rejects.toMatchObject({ key: 'auth.invalid' })
  })
})

test('audit: an entry proves its body by salt and hash, and names who did what from where', () => {
  const entry = {
    account: 'acc_1',
    actor: 'usr_1',
    action: 'key.created',
    target: 'key_1',
    from: '192.0.2.1',
  } as const
  const { salt = '', body = '', leaf, seal } = auditDocument(entry, 5)
  expect(
    createHash('sha256')
      .update(salt + body)
      .digest('hex'),
  ).toBe(leaf)
  expect(JSON.parse(body)).toMatchObject({ ...entry, at: 5 })
  expect(seal).toBe(0)
  expect(audit.reach).toBe('account')
})
