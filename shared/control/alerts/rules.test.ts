/** Rules of an account: what may be set, and that what is turned off tells nobody. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import type { AlertKind } from '../../api/schemas/alerts.ts'
import type { Caller } from '../caller.ts'
import { listAlerts } from './alerting.ts'
import { lookToRaise, lookToSettle } from './raising.ts'
import { describeRules, readRules, setRules } from './rules.ts'

let t: TestControl
let owner: Caller

beforeEach(async () => {
  t = makeTestControl({ plan: 'team' })
  owner = await t.caller()
})
afterEach(() => t.close())

type Wish = Parameters<typeof setRules>[2]['wish']
const set = (items: Wish['items']) => setRules(t.of(owner), owner, { wish: { items } })
const told = () => t.mails.splice(0).map(({ subject }) => subject)
const keyOf = (kind: AlertKind) => ({ account: owner.account, kind, subject: owner.account })

async function raise(kind: AlertKind): Promise<void> {
  const trouble = { since: t.clock.now(), name: '80 %', cause: 'Most of it is used.' }
  await t.control.store.transact(async (tx) => {
    const write = await lookToRaise(tx, keyOf(kind), { trouble, nowMs: t.clock.now() })
    write()
  })
  await pass()
}

async function settle(kind: AlertKind): Promise<void> {
  await t.control.store.transact(async (tx) => (await lookToSettle(tx, keyOf(kind), t.clock.now()))())
  await pass()
}

async function pass(): Promise<void> {
  t.clock.advance(120_000)
  await t.runJobs()
}

test('a kind that is raised by others and is turned off stays in the list, and tells nobody', async () => {
  await set([{ kind: 'quota.near', on: false }])
  await raise('quota.near')
  await raise('quota.reached')
  expect(told()).toEqual(['The transfer is used up: 80 % ("ada")'])
  const { items } = await listAlerts(t.of(owner), owner, { limit: 10 })
  expect(items.map(({ data: { kind, toldAt, untold } }) => [kind, toldAt > 0, untold]).toSorted()).toEqual([
    ['quota.near', false, 0],
    ['quota.reached', true, 0],
  ])
  expect(t.documents().filter(({ id }) => id.startsWith('alert.tell'))).toEqual([])
})

test('who was told of the beginning is told of the end, though the kind is off now', async () => {
  await raise('quota.near')
  expect(told()).toHaveLength(1)
  await set([{ kind: 'quota.near', on: false }])
  await settle('quota.near')
  expect(told()).toEqual(['Over: Most of the transfer is used: 80 % ("ada")'])
})

test('a rule has only what its alert has: limit, time, tunnels', async () => {
  const refused = (items: Wish['items']) => expect(set(items)).rejects.toMatchObject({ key: 'alert.rules' })
  await refused([{ kind: 'payment.failed', on: true, tag: 'shop' }])
  await refused([{ kind: 'payment.failed', on: true, forMs: 60_000 }])
  await refused([{ kind: 'tunnel.down', on: true, threshold: 5 }])
  await refused([
    { kind: 'tunnel.down', on: true },
    { kind: 'tunnel.down', on: false },
  ])
  await set([{ kind: 'tunnel.down', on: true, tag: 'shop', forMs: 120_000 }])
  const items = describeRules(await readRules(t.of(owner), owner))
  expect(items.filter(({ own }) => own)).toMatchObject([{ tag: 'shop', forMs: 120_000 }])
})
