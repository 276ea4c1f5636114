import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { hashSecret } from '../base/ids.ts'
import { ensureAccount } from './accounts.ts'
import { auditDocument } from './audit.ts'
import { audit, keys, users } from './documents.ts'
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
    expect(first).toMatchObject({ role: 'owner', accountName: 'ada', scopes: ['admin'], plan: 'pro' })
    const where = { user: first?.user?.id ?? '' }
    expect((await t.control.store.query(queries.membersOfUser, { where, limit: 5 })).items).toHaveLength(1)
  })

  test('what was signed before "log out everywhere" is refused within 30 s', async () => {
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
    expect(eve.member.account).not.toBe(ada.member.account)
  })
})

describe('keys', () => {
  test('the store keeps a hash alone, and the use of a key is written down once a day', async () => {
    const caller = await t.caller()
    const { secret, key } = await createKey(t.control, caller, { name: 'ci', scopes: ['read'] })
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
    const { secret, key } = await createKey(t.control, caller, { name: 'ci', scopes: ['read'] })
    await t.principals.authenticate(secret, '')
    await revokeKey(t.control, caller, key.id)
    await expect(t.principals.authenticate(secret, '')).rejects.toMatchObject({ key: 'auth.invalid' })
    await expect(revokeKey(t.control, caller, key.id)).rejects.toMatchObject({ key: 'api.not_found' })
  })

  test('a key never gets a scope that its maker lacks', async () => {
    const caller = await t.caller(email, { scopes: ['tunnels'] })
    const wanted = { name: 'ci', scopes: ['admin'] as const }
    await expect(createKey(t.control, caller, wanted)).rejects.toMatchObject({ key: 'auth.scope' })
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
  expect(audit.isGlobal).toBe(false)
})
