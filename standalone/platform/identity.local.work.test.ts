/**
 * What could show strangers whether something is known, counted instead of timed: hashes, reads and writes of the
 * store.
 */
import { makeApi } from '@porttunneler/shared/api/app'
import { newSecret } from '@porttunneler/shared/base/ids'
import { createKey, revokeKey } from '@porttunneler/shared/control/keys'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { type Counts, countingStore } from '@porttunneler/shared/testing/counting-store'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeTestControl, type TestControl } from '../testing/control.ts'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { Passwords } from './identity.local.passwords.ts'
import { openSqliteStore } from './store.sqlite.ts'

const ada = { email: 'ada@example.com', password: 'correct horse battery' }
const home = { from: '192.0.2.1' }

afterEach(() => vi.restoreAllMocks())

async function withAda() {
  const { store, counts } = countingStore(openSqliteStore(':memory:', { queries: queryTable }))
  const { identity } = makeLocalIdentity({ store })
  const { device = '' } = await identity.register(ada, home)
  const hashed = vi.spyOn(Passwords.prototype, 'hash')
  const verified = vi.spyOn(Passwords.prototype, 'verify')
  /** The cost of one call, and how it ends. */
  const cost = async (call: () => Promise<unknown>) => {
    const before = { ...counts, hashes: hashed.mock.calls.length + verified.mock.calls.length }
    const end = await call().then(
      () => 'done',
      (error: { key: string }) => error.key,
    )
    const hashes = hashed.mock.calls.length + verified.mock.calls.length - before.hashes
    return { end, hashes, ...since(before, counts) }
  }
  return { identity, device, cost }
}

function since(before: Counts, counts: Counts) {
  const { reads, writes, deletes } = counts
  return {
    reads: reads - before.reads,
    writes: writes - before.writes,
    deletes: deletes - before.deletes,
  }
}

const nobody = 'nobody@example.com'

test('a failed sign-in costs the same for a known and an unknown address, with a device and without, locked or not', async () => {
  const { identity, device, cost } = await withAda()
  const other = await withAda()
  for (const secret of [undefined, newSecret('ptv')])
    for (let n = 0; n < 8; n++) {
      const caller = { ...home, ...(secret && { device: secret }) }
      const known = await cost(() => identity.login({ ...ada, password: 'a guess' }, caller))
      const unknown = await other.cost(() =>
        other.identity.login({ email: nobody, password: 'a guess' }, caller),
      )
      expect(unknown, `attempt ${n}`).toEqual(known)
      expect(known.hashes).toBe(known.end === 'auth.credentials' ? 1 : 0)
    }
  expect(device).not.toBe('')
})

test('asking for a new password costs the same for a known and an unknown address', async () => {
  const { identity, cost } = await withAda()
  const known = await cost(() => identity.requestReset(ada.email, home))
  expect(known).toMatchObject({ end: 'done', hashes: 0 })
  expect(await cost(() => identity.requestReset(nobody, home))).toEqual(known)
})

test('asking for an account costs the same for a known and an unknown address, and has one answer', async () => {
  const { identity, cost } = await withAda()
  const known = await cost(() => identity.requestAccount(ada.email, home))
  expect(known).toMatchObject({ end: 'done', hashes: 0 })
  expect(await cost(() => identity.requestAccount(nobody, home))).toEqual(known)
})

test('an unknown link and a used one cost the same', async () => {
  const { identity, cost } = await withAda()
  const confirm = () => cost(() => identity.confirmReset({ token: newSecret('ptw'), password: ada.password }))
  const first = await confirm()
  expect(first).toMatchObject({ end: 'auth.reset', hashes: 0, writes: 0 })
  expect(await confirm()).toEqual(first)
})

let t: TestControl
let counts: Counts
beforeEach(() => {
  t = makeTestControl({
    wrapStore(store) {
      const counting = countingStore(store)
      counts = counting.counts
      return counting.store
    },
  })
})
afterEach(() => t.close())

test('an unknown key and a revoked one cost one read, and get the same answer', async () => {
  const caller = await t.caller()
  const { key, secret } = await createKey(t.of(caller), caller, { name: 'ci', scopes: ['read'] })
  await revokeKey(t.of(caller), caller, key.id)
  for (const bearer of [secret, newSecret('pts')]) {
    const before = { ...counts }
    const end = await t.principals
      .authenticate(bearer, home.from)
      .catch((error: { key: string }) => error.key)
    expect([end, since(before, counts)]).toEqual(['auth.invalid', { reads: 1, writes: 0, deletes: 0 }])
  }
})

test('an unknown device code and a used one cost one read, and get the same answer', async () => {
  const { control, principals, relayIdentity } = t
  const app = makeApi({ control, principals, addressOf: () => home.from, enrolment: relayIdentity })
  const poll = async (code: string) => {
    const before = { ...counts }
    const body = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: 'ptun',
      device_code: code,
    })
    const answer = await app.request('https://tunnel.example.com/v1/device/token', { method: 'POST', body })
    return { status: answer.status, body: await answer.json(), ...since(before, counts) }
  }
  const { authorizeDevice, decideDevice } = await import('@porttunneler/shared/control/devices')
  const asked = { device: 'laptop', scope: undefined, from: home.from }
  const { deviceCode, userCode } = await authorizeDevice(control, asked)
  await decideDevice(control, await t.caller(), { userCode, approve: false })
  await poll(deviceCode)
  const used = await poll(deviceCode)
  expect(used).toEqual({ status: 400, body: { error: 'invalid_grant' }, reads: 1, writes: 0, deletes: 0 })
  expect(await poll(newSecret('ptd'))).toEqual(used)
})
