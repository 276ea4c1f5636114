import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import type { Scope } from '../api/schemas/access.ts'
import { newId } from '../base/ids.ts'
import { claimLeases } from './claims.ts'
import { authorizeDevice, decideDevice, findDevice, pollDevice } from './devices.ts'
import { accounts } from './documents.ts'
import { deviceKeyMs } from './key-expiry.ts'
import { createKey, listKeys, revokeKey } from './keys.ts'
import { queries } from './query-table.ts'
import { quotas } from './quota-documents.ts'

let t: TestControl
beforeEach(() => {
  t = makeTestControl()
})
afterEach(() => t.close())

const asked = { device: 'laptop', scope: undefined, from: '192.0.2.1' }

test('predicting the random numbers of retries does not help to predict user codes', async () => {
  const foretold = { ...t.control, random: () => 0 }
  const codes = new Set<string>()
  for (let count = 0; count < 20; count++) codes.add((await authorizeDevice(foretold, asked)).userCode)
  expect(codes.size).toBe(20)
  for (const code of codes) expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
})

test('the plan limits keys, however many devices were approved before the first fetched its key', async () => {
  const ada = await t.caller('ada@example.com')
  const few = { ...ada.limits, keys: 2 }
  await t.control.store.update(accounts.ref(ada.account), { overrides: { keys: 2 } })
  const codes = []
  for (let count = 0; count < 4; count++) {
    const { deviceCode, userCode } = await authorizeDevice(t.control, asked)
    await decideDevice(t.control, { ...ada, limits: few }, { userCode, approve: true })
    codes.push(deviceCode)
  }
  const answers = []
  for (const code of codes)
    answers.push(
      await pollDevice(t.control, code, asked.from).then(
        () => 'key',
        (error) => error.key,
      ),
    )
  expect(answers).toEqual(['key', 'key', 'key.limit', 'key.limit'])
  expect((await listKeys(t.of(ada), ada, { limit: 10 })).items).toHaveLength(2)
})

const keyOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'found',
    (error) => error.key,
  )

test('the lock on guesses holds for the right code too, and concurrent guesses are counted one by one', async () => {
  const [ada, bob] = [await t.caller('ada@example.com'), await t.caller('bob@example.com')]
  const { userCode } = await authorizeDevice(t.control, asked)
  const guesses = Array.from({ length: 40 }, () => keyOf(findDevice(t.control, ada, 'BBBB-BBBB')))
  const answers = await Promise.all(guesses)
  expect(answers.filter((answer) => answer === 'device.unknown')).toHaveLength(10)
  expect(await keyOf(findDevice(t.control, ada, userCode))).toBe('device.guesses')
  expect(await keyOf(decideDevice(t.control, ada, { userCode, approve: true }))).toBe('device.guesses')
  expect(await keyOf(findDevice(t.control, bob, userCode))).toBe('found')
  t.clock.advance(3_600_000)
  const { userCode: fresh } = await authorizeDevice(t.control, asked)
  expect(await keyOf(findDevice(t.control, ada, fresh))).toBe('found')
})

test('right codes do not count as guesses, however often the page is opened', async () => {
  const ada = await t.caller()
  const { userCode } = await authorizeDevice(t.control, asked)
  for (let n = 0; n < 30; n++) expect(await keyOf(findDevice(t.control, ada, userCode))).toBe('found')
})

describe('what a device gets', () => {
  async function take(scope: string | undefined, scopes?: readonly Scope[]) {
    const ada = await t.caller()
    const { deviceCode, userCode } = await authorizeDevice(t.control, { ...asked, scope })
    await decideDevice(t.control, ada, { userCode, approve: true, scopes })
    const result = await pollDevice(t.control, deviceCode, asked.from)
    if ('error' in result) throw new Error(result.error)
    return { ada, ...result.created }
  }

  test.each([
    [undefined, ['tunnels']],
    ['read', ['read']],
    ['read tunnels', ['read', 'tunnels']],
    ['read tunnels admin', ['read', 'tunnels']],
    ['admin', ['tunnels']],
  ])('asking for %s without a tick gives %s', async (scope, given) => {
    expect((await take(scope)).key.scopes).toEqual(given)
  })

  test('the person can tick more, but only what was asked for', async () => {
    const ticked = await take('read tunnels admin', ['read', 'tunnels', 'admin'])
    expect(ticked.key.scopes).toEqual(['read', 'tunnels', 'admin'])
    expect((await take('read tunnels', ['read'])).key.scopes).toEqual(['read'])
    expect(await keyOf(take('read tunnels', ['admin']))).toBe('auth.scope')
  })

  test('its key ends after 180 days, says so, then leaves its place in the plan, and what it serves ends', async () => {
    const { ada, key, secret } = await take('tunnels')
    expect(key.expiresAt).toBe(t.clock.now() + deviceKeyMs)
    const other = await createKey(t.of(ada), ada, { name: 'ci', scopes: ['tunnels'] })
    expect(other.key.expiresAt).toBeUndefined()
    t.clock.advance(deviceKeyMs - 1_000)
    await t.openCell()
    const wanted = {
      agent: newId('agt', 1),
      tunnels: [{ name: 'db', kind: 'tcp' as const }],
      takeover: false,
    }
    await claimLeases(t.control, await t.principals.authenticate(secret, ''), wanted)
    t.clock.advance(1_000)
    const ended = await t.principals.authenticate(secret, '').catch((error) => error)
    const day = new Date(t.clock.now()).toISOString().slice(0, 10)
    expect([ended.key, ended.detail]).toEqual(['auth.expired', `This key ended on ${day}.`])
    await t.principals.authenticate(other.secret, '')
    await t.runJobs()
    await t.runJobs()
    const valid = await listKeys(t.of(ada), ada, { limit: 10 })
    expect(valid.items.map(({ data }) => data.name)).toEqual(['ci'])
    expect((await t.control.store.get(quotas.ref(ada.account)))?.data).toMatchObject({ keys: 1, online: 0 })
    const where = { account: ada.account, state: 'leased' }
    expect((await t.control.store.query(queries.leasesOfAccount, { where, limit: 10 })).items).toEqual([])
    expect(await keyOf(t.principals.authenticate(secret, ''))).toBe('auth.expired')
  })

  test('a key ends on the day that was chosen for it, like a device key, and the audit says when that is', async () => {
    const ada = await t.caller('ada@example.com')
    const input = { name: 'ci', scopes: ['tunnels'], expiresInDays: 366 } as const
    const { key, secret } = await createKey(t.of(ada), ada, input)
    const endMs = t.clock.now() + 366 * 86_400_000
    expect(key.expiresAt).toBe(endMs)
    const where = { account: ada.account, action: 'key.created' }
    const { items } = await t.control.store.query(queries.auditByAction, { where, limit: 1 })
    expect(JSON.parse(items[0]?.data.body ?? '{}').details).toMatchObject({ name: 'ci', expiresAt: endMs })
    t.clock.advance(366 * 86_400_000 - 1)
    await t.principals.authenticate(secret, '')
    t.clock.advance(1)
    expect(await keyOf(t.principals.authenticate(secret, ''))).toBe('auth.expired')
    await t.runJobs()
    await t.runJobs()
    expect((await listKeys(t.of(ada), ada, { limit: 10 })).items).toEqual([])
  })

  test('a device key revoked before its end is unknown, also after its end', async () => {
    const { ada, key, secret } = await take('tunnels')
    await revokeKey(t.of(ada), ada, key.id)
    t.clock.advance(deviceKeyMs)
    await t.runJobs()
    expect(await keyOf(t.principals.authenticate(secret, ''))).toBe('auth.invalid')
  })
})
