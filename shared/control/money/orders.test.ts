/** Whatever the order of events, however often they come, and whichever instance looks: one end. docs/decisions/0090 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { seededRandom } from '../../testing/wire-pair.ts'
import type { Control } from '../control.ts'
import { accounts } from '../documents.ts'
import { type SubscriptionDoc, subscriptions } from './billing-documents.ts'
import { builtInCatalogue } from './built-in.ts'
import { followCustomer } from './following.ts'
import { follow, type KnownCatalogues } from './following-rules.ts'
import { type CustomerState, noCustomer, type PaidSubscription, type Payments } from './payments.ts'
import { noPayments } from './payments-none.ts'
import { startCheckout } from './selling.ts'

const dayMs = 24 * 3_600_000
const known: KnownCatalogues = new Map([[1, builtInCatalogue]])

type Truth = { readonly at: number; readonly state: CustomerState }

/** What happens to a customer in three months, as the payment service has it after each step. */
function story(start: number): readonly Truth[] {
  const at = (day: number) => start + day * dayMs
  const item = (price: string, quantity = 1) => ({ item: `si_${price}`, price, quantity })
  const transfer = item('pt:transfer:pt_transfer_mb_v1:usd', 0)
  const pro = [item('pt:pro:1:month:usd'), transfer]
  const team = [item('pt:team:1:month:usd'), item('pt:team-seats:1:month:usd', 2), transfer]
  const sub = (changes: Partial<PaidSubscription>): PaidSubscription => ({
    id: 'sub_1',
    status: 'active',
    createdAt: start,
    items: pro,
    period: { start: at(14), end: at(44) },
    trialEnd: at(14),
    cancelAt: 0,
    endedAt: 0,
    ...changes,
  })
  const second = { start: at(44), end: at(74) }
  const third = { start: at(74), end: at(104) }
  const step = (day: number, one: Partial<PaidSubscription>, more: Partial<CustomerState> = {}): Truth => ({
    at: at(day),
    state: { ...noCustomer, subscriptions: [sub(one)], paidCount: 2, lastTotal: 900, ...more },
  })
  return [
    step(1, { status: 'trialing', period: { start, end: at(14) } }, { paidCount: 0, lastTotal: 0 }),
    step(14, {}, { paidCount: 1 }),
    step(20, { items: team }),
    step(22, { items: team }, { isDisputed: true }),
    step(40, { items: team }),
    step(44, { items: team, period: second, status: 'past_due' }, { openSince: at(44) }),
    step(49, { items: team, period: second }, { paidCount: 3 }),
    step(60, { items: team, period: second, next: { at: at(74), items: pro } }, { paidCount: 3 }),
    step(74, { period: third }, { paidCount: 3 }),
    step(80, { period: third, cancelAt: at(104) }, { paidCount: 3 }),
    step(90, { period: third, status: 'canceled', endedAt: at(90) }, { paidCount: 3 }),
  ]
}

/** All that somebody could notice; the timeline has when things were seen, and is looked at by itself. */
function seen({ timeline: _, syncedAt: __, lastPeriod: ___, ...rest }: SubscriptionDoc) {
  return rest
}

let t: TestControl
let account: string
let nowhere: SubscriptionDoc
let truth: CustomerState = noCustomer
let asked: (() => void)[] = []
const payments: Payments = {
  ...noPayments,
  kind: 'stripe',
  makeCustomer: async () => 'cus_1',
  openCheckout: async () => ({ url: 'https://pay.example.com/1' }),
  readCustomer: () =>
    new Promise((resolve) => {
      asked.push(() => resolve(truth))
    }),
}
beforeEach(async () => {
  truth = noCustomer
  asked = []
  t = makeTestControl({ plan: 'free', payments })
  await t.openCell()
  const ada = await t.caller('ada@example.com')
  account = ada.account
  const user = ada.user && { ...ada.user, emailVerified: true }
  const choice = { plan: 'pro', interval: 'month', seats: 1, currency: 'usd' } as const
  await startCheckout(t.control, t.of(ada), { ...ada, ...(user && { user }) }, choice)
  nowhere = (await t.control.store.get(subscriptions.ref(account)))?.data ?? expect.fail('a subscription')
})
afterEach(() => t.close())

/** A handler of an event: it reads our document, then the truth, and writes if the document is still the same. */
type Handler = {
  stage: 'begin' | 'ask' | 'write'
  version: number
  before: SubscriptionDoc
  found: CustomerState
}

/** @param isChecked without it the document is written whatever it has become */
function runOrder(seed: number, steps: readonly Truth[], isChecked: boolean): SubscriptionDoc {
  const random = seededRandom(seed)
  let doc = nowhere
  let version = 0
  let step = 0
  const handlers: Handler[] = []
  const isLast = () => step === steps.length
  for (;;) {
    const next = Math.floor(random() * (handlers.length + 1))
    const handler = handlers[next]
    if (!handler) {
      if (isLast() && handlers.length === 0) return doc
      if (isLast()) continue
      step++
      // Some events come twice, some never; one that is lost is made good by a later look, as here after the last.
      const events = isLast() ? 2 : Math.floor(random() * 3)
      for (let event = 0; event < events; event++)
        handlers.push({ stage: 'begin', version: 0, before: doc, found: noCustomer })
      continue
    }
    const now = steps[step - 1] ?? expect.fail('a step')
    if (handler.stage === 'begin') Object.assign(handler, { stage: 'ask', version, before: doc })
    else if (handler.stage === 'ask') Object.assign(handler, { stage: 'write', found: now.state })
    else if (isChecked && handler.version !== version) handler.stage = 'begin'
    else {
      doc = follow(handler.before, handler.found, { known, nowMs: now.at }) ?? doc
      version++
      handlers.splice(next, 1)
    }
  }
}

const orders = Array.from({ length: 1_000 }, (_, seed) => seed)

test('1,000 random orders of events, doubled and lost ones among them, end in one state', () => {
  const steps = story(t.clock.now())
  const [first, ...others] = orders.map((seed) => runOrder(seed, steps, true))
  expect(first).toMatchObject({ state: 'free', subscription: '', capNow: 0, isDisputed: false })
  for (const one of others) expect(seen(one)).toEqual(first && seen(first))
  for (const { timeline } of [first, ...others].flatMap((one) => one ?? [])) {
    const isInOrder = timeline.every(
      ({ from, to }, index) => from < to && from >= (timeline[index - 1]?.to ?? 0),
    )
    expect(isInOrder, 'spans follow each other').toBe(true)
    expect(timeline.at(-1)?.to ?? 0, 'nothing is paid for after the end').toBeLessThanOrEqual(
      steps.at(-1)?.at ?? 0,
    )
  }
})

test('without the look at the version some order ends elsewhere: the orders above do cross', () => {
  const steps = story(t.clock.now())
  const ends = new Set(orders.map((seed) => JSON.stringify(seen(runOrder(seed, steps, false)))))
  expect(ends.size).toBeGreaterThan(1)
})

test('two instances that ask at once, in random orders, grant the same', async () => {
  const controls: readonly Control[] = [t.control, t.elsewhere().control]
  const ends = new Set<string>()
  for (const seed of orders.slice(0, 12)) {
    const random = seededRandom(seed)
    const looks: Promise<unknown>[] = []
    await t.control.store.set(subscriptions.ref(account), nowhere)
    for (const { state } of story(t.clock.now()).slice(0, 9)) {
      truth = state
      for (const control of controls) if (random() < 0.6) looks.push(followCustomer(control, 'cus_1'))
      if (random() < 0.5) await answerSome(random)
    }
    looks.push(followCustomer(controls[0] ?? t.control, 'cus_1'))
    const all = Promise.allSettled(looks)
    let isOver = false
    void all.then(() => {
      isOver = true
    })
    while (!isOver) await answerSome(random)
    const doc = (await t.control.store.get(subscriptions.ref(account)))?.data ?? expect.fail('a subscription')
    const owner = (await t.control.store.get(accounts.ref(account)))?.data
    const { granted, plan } = owner ?? expect.fail('an account')
    ends.add(JSON.stringify([plan, granted, { ...seen(doc), graceFrom: 0 }]))
  }
  expect([...ends]).toHaveLength(1)
})

/** A turn of the loop, so that calls come, and then some of them get their answer. */
async function answerSome(random: () => number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  for (const answer of asked.splice(0, Math.ceil(random() * asked.length))) answer()
}
