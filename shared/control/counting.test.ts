/** Counts are corrected, and accounts of releases up to 0.1 are counted while such a release runs beside this one. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { Caller } from './caller.ts'
import { claimLeases } from './claims.ts'
import { endpoints } from './documents.ts'
import { createKey, revokeKey } from './keys.ts'
import { queries } from './query-table.ts'
import { online, quotas } from './quota-documents.ts'
import { createTunnel, deleteTunnel } from './tunnels.ts'

const hour = 3_600_000
let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl({ plan: 'free' })
  await t.openCell()
  ada = await t.caller('ada@example.com')
})
afterEach(() => t.close())

async function claim(...names: readonly string[]) {
  const tunnels = names.map((name) => ({ name, kind: 'tcp' as const }))
  const { results } = await claimLeases(t.control, ada, { agent: newId('agt', 1), tunnels, takeover: false })
  return results.map((result) => ('problem' in result ? keyOfCode(result.problem.code) : 'leased'))
}

const quota = async () => (await t.control.store.get(quotas.ref(ada.account)))?.data
const counts = { tunnels: 2, online: 1, keys: 1, members: 1 }

/** Two tunnels, one of them online, and a key. */
async function fill() {
  await claim('a')
  await createTunnel(t.of(ada), ada, { name: 'b', kind: 'tcp', policy: {} })
  await createKey(t.of(ada), ada, { name: 'ci', scopes: ['tunnels'] })
}

/** Leaves the account as a release up to 0.1 does: no quota, and that release's own document. */
async function age() {
  await t.control.store.delete(quotas.ref(ada.account))
  await t.control.store.set(online.ref(ada.account), { account: ada.account })
}

test('an older account is counted when it first needs a count', async () => {
  await fill()
  await age()
  expect(await claim('c', 'd')).toEqual(['leased', 'leased'])
  expect(await quota()).toMatchObject({ ...counts, tunnels: 4, online: 3 })
  expect(await claim('e')).toEqual(['quota.tunnels'])
  await age()
  await createTunnel(t.of(ada), ada, { name: 'f', kind: 'tcp', policy: {} })
  expect(await quota()).toMatchObject({ tunnels: 5, online: 3 })
  await age()
  await createKey(t.of(ada), ada, { name: 'next', scopes: ['tunnels'] })
  expect((await quota())?.keys).toBe(2)
})

test('ending something works in an account that was never counted', async () => {
  await fill()
  await age()
  const { items } = await t.control.store.query(queries.tunnelsOfAccount, {
    where: { account: ada.account },
    limit: 9,
  })
  for (const { ref } of items) await deleteTunnel(t.of(ada), ada, { id: ref.id })
  const found = await t.control.store.query(queries.keysOfAccount, {
    where: { account: ada.account, revokedAt: 0 },
    limit: 9,
  })
  for (const { data } of found.items) await revokeKey(t.of(ada), ada, data.key)
  expect(await quota()).toBeUndefined()
  await t.runJobs()
  expect(await quota()).toMatchObject({ tunnels: 0, online: 0, keys: 0, members: 1 })
})

test('the job counts every older account, again while the old release runs, then deletes its document', async () => {
  await fill()
  await age()
  await t.runJobs()
  expect(await quota()).toMatchObject(counts)
  // The old release gives out an address, and counts in its own way.
  const [{ ref, data } = { ref: undefined, data: undefined }] = (
    await t.control.store.query(queries.freeEndpoints, {
      where: { cell: 'home', kind: 'tcp', state: 'free' },
      limit: 1,
    })
  ).items
  if (!ref) throw new Error('no endpoint')
  await t.control.store.set(endpoints.ref(ref.id), {
    ...data,
    state: 'leased',
    account: ada.account,
    expiresAt: t.clock.now() + 2 * hour,
  })
  expect(await t.control.store.get(online.ref(ada.account)), 'the old release still needs it').toBeDefined()
  t.clock.advance(hour)
  await t.runJobs()
  expect((await quota())?.online).toBe(2)
  expect(await t.control.store.get(online.ref(ada.account))).toBeUndefined()
})

test('a wrong count is corrected after a refusal, at most once an hour, and once a week without one', async () => {
  await fill()
  const spoil = (n: number) => t.control.store.update(quotas.ref(ada.account), { online: n })
  await spoil(9)
  expect(await claim('c'), 'it was counted lately').toEqual(['quota.tunnels'])
  await t.runJobs()
  expect(await claim('c')).toEqual(['quota.tunnels'])
  t.clock.advance(hour + 1)
  await t.sync()
  expect(await claim('c')).toEqual(['quota.tunnels'])
  await t.runJobs()
  expect(await quota()).toMatchObject({ ...counts, countedAt: t.clock.now() })
  expect(await claim('c')).toEqual(['leased'])
  await spoil(7)
  t.clock.advance(7 * 24 * hour)
  await t.runJobs()
  expect((await quota())?.online).toBe(0)
})

test('a change while it counts is not lost', async () => {
  await fill()
  await t.control.store.delete(quotas.ref(ada.account))
  const more = Array.from({ length: 10 }, (_, n) =>
    createTunnel(t.of(ada), ada, { name: `n${n}`, kind: 'tcp', policy: {} }),
  )
  await Promise.all(more)
  expect((await quota())?.tunnels).toBe(12)
})
