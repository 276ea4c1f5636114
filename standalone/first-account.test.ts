import { hashSecret } from '@porttunneler/shared/base/ids'
import { controlOf } from '@porttunneler/shared/control/control'
import { keys } from '@porttunneler/shared/control/documents'
import { revokeKey } from '@porttunneler/shared/control/keys'
import { queries } from '@porttunneler/shared/control/query-table'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { demoKey, ensureFirstAccount } from './first-account.ts'
import { makeTestControl, type TestControl } from './testing/control.ts'

const email = 'admin@porttunneler.localhost'
let given: TestControl
beforeEach(() => {
  given = makeTestControl({ plan: 'free' })
})
afterEach(() => given.close())

describe('the first account', () => {
  test('signs in with the password that is shown, and has no limits', async () => {
    const { control, identity, principals } = given
    const account = await ensureFirstAccount(control, identity, email)
    const { tokens } = await identity.login(account ?? { email, password: '' }, { from: '' })
    const caller = await principals.authenticate(tokens.accessToken, '')
    expect(caller).toMatchObject({ role: 'owner', plan: 'unlimited' })
    expect(account?.password).toMatch(/^([a-z2-9]{5}-){3}[a-z2-9]{5}$/)
  })

  test('is made once, even if the address changes later', async () => {
    const { control, identity } = given
    expect(await ensureFirstAccount(control, identity, email)).toBeDefined()
    expect(await ensureFirstAccount(control, identity, email)).toBeUndefined()
    expect(await ensureFirstAccount(control, identity, 'other@porttunneler.localhost')).toBeUndefined()
  })

  test('accepts no terms of its own server, at the first start and later, and its demo goes on', async () => {
    const { control, identity, elsewhere } = given
    const terms = [{ kind: 'terms', version: '1', url: 'https://example.com/terms' }]
    Object.assign(control.settings, { terms })
    await ensureFirstAccount(control, identity, email)
    const user =
      (await control.store.query(queries.usersByEmail, { where: { email }, limit: 1 })).items[0]?.ref.id ?? ''
    const { control: later } = elsewhere()
    await ensureFirstAccount(later, identity, email)
    for (const each of [control, later]) {
      await each.terms.require(user)
      expect(await each.terms.read(user)).toEqual({ items: [] })
    }
    await identity.register({ email: 'eve@example.com', password: 'correct horse battery' }, { from: '' })
    const eve = (
      await control.store.query(queries.usersByEmail, { where: { email: 'eve@example.com' }, limit: 1 })
    ).items[0]
    await expect(control.terms.require(eve?.ref.id ?? '')).rejects.toMatchObject({ key: 'terms.due' })
  })

  test('a start that was killed half-way does not stop the server from starting', async () => {
    const { control, identity, principals } = given
    await identity.register({ email, password: 'shown-to-nobody' }, { from: '' })
    expect(await ensureFirstAccount(control, identity, email)).toBeUndefined()
    await expect(demoKey(control, principals)).rejects.toThrow(/PT-5109/)
  })
})

describe("the demo agent's key", () => {
  test('may only serve tunnels, and stays the same over starts', async () => {
    const { control, identity, principals } = given
    await ensureFirstAccount(control, identity, email)
    const key = await demoKey(control, principals)
    expect((await demoKey(control, principals)).reveal()).toBe(key.reveal())
    expect((await principals.authenticate(key.reveal(), '')).scopes).toEqual(['tunnels'])
  })

  test('is made anew after its owner revoked it', async () => {
    const { control, identity, principals } = given
    const account = await ensureFirstAccount(control, identity, email)
    const key = await demoKey(control, principals)
    const { tokens } = await identity.login(account ?? { email, password: '' }, { from: '' })
    const owner = await principals.authenticate(tokens.accessToken, '')
    const id = (await control.store.get(keys.ref(hashSecret(key.reveal()))))?.data.key ?? ''
    await revokeKey(controlOf(control, owner.account), owner, id)
    const next = await demoKey(control, principals)
    expect(next.reveal()).not.toBe(key.reveal())
    expect((await principals.authenticate(next.reveal(), '')).account).toBe(owner.account)
  })
})
