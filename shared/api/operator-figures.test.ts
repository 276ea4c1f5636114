/** Money, transfer, security events and dependencies, as operators read them. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { z } from 'zod'
import { makeTestApi, signInOperator, type TestApi } from '../../standalone/testing/api.ts'
import { newId } from '../base/ids.ts'
import { accounts, jobs } from '../control/documents.ts'
import { freshJob, jobRef } from '../control/jobs/jobs.ts'
import { Worker } from '../control/jobs/worker.ts'
import { type SubscriptionDoc, subscriptions } from '../control/money/billing-documents.ts'
import { serviceMonths } from '../control/operator/figure-documents.ts'
import { makeFigures } from '../control/operator/figures.ts'
import { usageHours } from '../control/usage-documents.ts'
import { pageSchema } from './schemas/common.ts'
import * as schemas from './schemas/operator-figures.ts'

const password = 'correct horse battery'
const dayMs = 24 * 3_600_000
const times = { periodStart: 0, periodEnd: 0, graceFrom: 0, trialEnd: 0, cancelAt: 0, syncedAt: 0 }
const paidDoc = {
  customer: 'cus_1',
  version: 1,
  seats: 1,
  timeline: [],
  cap: 0,
  capNow: 0,
  isDisputed: false,
  ...times,
}
let t: TestApi
let token: string
let operator: string
beforeEach(async () => {
  t = await makeTestApi()
  const grace = await signInOperator(t)
  operator = grace.member
  token = grace.token
})
afterEach(() => t.close())

async function read<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T>> {
  const answer = await t.call('GET', `/v1/operator/${path}`, { token })
  expect([path, answer.status]).toEqual([path, 200])
  return schema.parse(await answer.json())
}

/** To two hours and a bit after the next midnight, with a fresh token. */
async function nextDay(): Promise<void> {
  const now = t.clock.now()
  t.clock.advance(Math.ceil((now + 1) / dayMs) * dayMs - now + 2 * 3_600_000 + 1)
  token = (await t.identity.login({ email: 'grace@example.com', password }, { from: '' })).tokens.accessToken
}

const figures = () => new Worker({ control: t.control, kinds: [makeFigures(t.control)], atOnce: 1 })
async function makeDay(): Promise<void> {
  const worker = figures()
  await worker.begin()
  await worker.round(60_000)
  await worker.close()
}

async function carry(account: string, bytes: number): Promise<void> {
  const tunnel = newId('tun', t.clock.now())
  const hour = Math.floor(t.clock.now() / 3_600_000) * 3_600_000
  const row = { account, tunnel, cell: 'home', hour, in: bytes, out: 0, opened: 3, refused: 1 }
  const times = { updatedAt: t.clock.now(), ttl: new Date(t.clock.now() + 40 * dayMs) }
  await t.control.store.set(usageHours.ref(`${tunnel}:${hour}:b`), { ...row, ...times })
}

test('a day is made once, with who pays, what was carried and what is left; months add days up', async () => {
  const { account } = t.owner
  const paid: SubscriptionDoc = {
    ...paidDoc,
    account,
    state: 'active',
    plan: 'pro',
    interval: 'year',
    currency: 'usd',
    subscription: 'sub_1',
  }
  await t.control.store.set(subscriptions.ref(account), paid)
  await carry(account, 3e9)
  expect((await read('revenue', schemas.revenueSchema)).months).toEqual([])
  expect(await read('talkers', schemas.talkersSchema)).toEqual({ items: [] })
  await nextDay()
  await makeDay()
  await makeDay()
  const [month] = (await read('revenue', schemas.revenueSchema)).months
  expect(month).toMatchObject({ days: 1, madeAt: t.clock.now() })
  const plan = month?.plans.find(({ paying }) => paying > 0)
  // 90.00 USD a year; 0.041 and 0.30 of it are the payment service's.
  const net = Math.round(((90 - 90 * 0.041 - 0.3) / 12 / 30.4) * 1e6)
  expect(plan).toMatchObject({ paying: 1, trial: 0, recurring: { usd: 750 }, bytes: 3e9 })
  expect(Math.abs((plan?.netMicros ?? 0) - net)).toBeLessThan(3)
  expect(plan?.costMicros).toBe(Math.round(3 * 0.091 * 1e6))
  const talkers = await read('talkers', schemas.talkersSchema)
  expect(talkers.items).toMatchObject([{ account, bytes: 3e9, opened: 3, refused: 1, status: 'active' }])
  await carry(account, 1e9)
  await nextDay()
  await makeDay()
  const [later] = (await read('revenue', schemas.revenueSchema)).months
  if (later?.month === month?.month)
    expect(later?.plans.find(({ paying }) => paying > 0)).toMatchObject({ paying: 1, bytes: 4e9 })
  const before = await read(`talkers?day=${talkers.day}`, schemas.talkersSchema)
  expect([before.items[0]?.bytes, before.newest === talkers.day]).toEqual([3e9, false])
  expect((await t.call('GET', '/v1/operator/talkers?day=2001-01-01', { token })).status).toBe(404)
})

test('a walk that died goes on where it was, and counts nobody twice', async () => {
  const mine = await t.control.store.get(accounts.ref(t.owner.account))
  if (!mine) throw new Error('no account')
  for (let n = 0; n < 120; n++)
    await t.control.store.set(accounts.ref(newId('acc', n + 1)), { ...mine.data, createdAt: n + 1 })
  await nextDay()
  // It dies at the second page.
  const { store } = t.control
  const query = store.query.bind(store)
  let pages = 0
  const spy = vi.spyOn(store, 'query').mockImplementation(async (asked, options) => {
    if (asked.name === 'accountsByStatus' && ++pages === 2) throw new Error('away')
    return query(asked, options)
  })
  await makeDay()
  spy.mockRestore()
  expect(pages).toBe(2)
  expect((await read('revenue', schemas.revenueSchema)).months).toEqual([])
  t.clock.advance(120_000)
  await makeDay()
  const [month] = (await read('revenue', schemas.revenueSchema)).months
  const count = month?.plans.reduce((sum, { accounts }) => sum + accounts, 0)
  // And those of the operator and of the owner.
  expect(count).toBe(122)
  expect((await t.control.store.get(serviceMonths.ref(month?.month ?? '')))?.data.days).toBe(1)
})

test('active accounts, how far new ones got and which came back are counted once a day', async () => {
  expect(await read('activity', schemas.activitySchema)).toEqual({ days: [], cohorts: [] })
  await carry(t.owner.account, 10)
  await nextDay()
  await t.runJobs()
  const first = await read('activity', schemas.activitySchema)
  expect(first.days).toMatchObject([{ accounts: 2, active: 1, week: 1, month: 1 }])
  expect(first.cohorts).toMatchObject([{ accounts: 2, proven: 1, tunnel: 1, visitor: 1, paying: 0 }])
  for (let day = 0; day < 14; day++) {
    await nextDay()
    await makeDay()
  }
  const later = await read('activity', schemas.activitySchema)
  expect(later.days.map(({ active }) => active)).toEqual([1, ...Array(14).fill(0)])
  expect(later.days.at(-1)).toMatchObject({ accounts: 2, week: 0, month: 1 })
  // Active in the week in which it came, and not in the next.
  expect(later.cohorts).toHaveLength(1)
  expect(later.cohorts[0]?.weeks.slice(0, 2)).toEqual([1, 0])
})

test('security events are found by account, address and kind; other entries are not among them', async () => {
  const { account, member } = t.owner
  const wrong = async (from: string) =>
    t.identity
      .login({ email: 'ada@example.com', password: 'wrong horse battery' }, { from })
      .catch(() => undefined)
  await wrong('192.0.2.7')
  await wrong('192.0.2.8')
  await t.call('POST', `/v1/operator/accounts/${account}/suspend`, { token, json: { reason: 'abuse of it' } })
  const page = pageSchema(schemas.securityEventRowSchema)
  const all = (await read('security', page)).items
  expect(all.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['auth.failed', 'account.suspended', 'operator.added']),
  )
  expect(all.map(({ kind }) => kind)).not.toContain('account.created')
  expect(all.map(({ at }) => at)).toEqual(all.map(({ at }) => at).toSorted((a, b) => b - a))
  const from = (await read('security?address=192.0.2.7', page)).items
  expect(from).toMatchObject([{ kind: 'auth.failed', address: '192.0.2.7', account, target: member }])
  const kinds = (await read('security?kind=account.suspended', page)).items
  expect(kinds).toMatchObject([{ account, actor: `operator:${operator}`, reason: 'abuse of it' }])
  const own = (await read(`security?account=${account}`, page)).items
  expect(own.every((one) => one.account === account)).toBe(true)
  const first = await read('security?limit=1', page)
  const second = await read(`security?limit=1&cursor=${first.next}`, page)
  expect(first.items[0]?.id).not.toBe(second.items[0]?.id)
  const other = `/v1/operator/security?limit=1&kind=auth.failed&cursor=${first.next}`
  expect((await t.call('GET', other, { token })).status, 'a cursor of another filter').toBe(400)
  const both = await t.call('GET', '/v1/operator/security?kind=auth.failed&address=::1', { token })
  expect(both.status).toBe(400)
})

test('dependencies say whether they work, with cause and cure, and are asked once in half a minute', async () => {
  const health = async () => (await read('health', schemas.healthListSchema)).items
  expect(await health()).toMatchObject([
    { name: 'store', state: 'ok' },
    { name: 'bus', state: 'ok' },
    { name: 'signIn', state: 'ok' },
    { name: 'mail', state: 'ok' },
    { name: 'payments', state: 'off' },
    { name: 'dns', state: 'off' },
    { name: 'certificates', state: 'off' },
    { name: 'alerts', state: 'failing', code: 'PT-2810' },
  ])
  const ref = jobRef('mail.send', 'x')
  const failed = freshJob({ kind: 'mail.send', subject: 'x', account: '' }, t.clock.now())
  await t.control.store.set(jobs.ref(ref.id), { ...failed, state: 'dead', error: 'PT-0023' })
  expect((await health())[3]).toMatchObject({ state: 'ok' })
  t.clock.advance(31_000)
  expect((await health())[3]).toMatchObject({
    name: 'mail',
    state: 'failing',
    dead: 1,
    waiting: 0,
    code: 'PT-0023',
  })
})
