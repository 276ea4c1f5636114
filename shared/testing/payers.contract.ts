/**
 * What follows from what a customer pays, over any Store: several instances may look at once, and people are told once.
 * The payment service is a stand-in that says what the test wants; payments/*.test.ts have Stripe's own manners.
 */
import { describe, expect } from 'vitest'
import { ensureAccount } from '../control/accounts.ts'
import type { Control } from '../control/control.ts'
import { accounts } from '../control/documents.ts'
import { makeWorker } from '../control/jobs/kinds.ts'
import { subscriptions } from '../control/money/billing-documents.ts'
import { builtInCatalogue } from '../control/money/built-in.ts'
import { claimCustomer } from '../control/money/claiming.ts'
import { followCustomer } from '../control/money/following.ts'
import {
  type CustomerState,
  noCustomer,
  type PaidSubscription,
  type Payments,
} from '../control/money/payments.ts'
import { noPayments } from '../control/money/payments-none.ts'
import { runAct } from '../control/operator/acts.ts'
import type { MailMessage, Store } from '../control/platform.ts'
import { enrolledRelayIdentity } from '../control/relay-enrolment.ts'
import { type Cases, casesOn } from './cases.ts'
import { instanceOver } from './claims.contract.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'

const dayMs = 24 * 3_600_000
const customer = 'cus_1'

/** Ada pays for `pro` by the month. */
async function makePayerStage(store: Store) {
  const clock = new FakeClock()
  const mails: MailMessage[] = []
  const start = clock.now()
  const paid: PaidSubscription = {
    id: 'sub_1',
    status: 'active',
    createdAt: start,
    items: [{ item: 'si_1', price: 'pt:pro:1:month:usd', quantity: 1 }],
    period: { start, end: start + 30 * dayMs },
    trialEnd: 0,
    cancelAt: 0,
    endedAt: 0,
  }
  let truth: CustomerState = { ...noCustomer, subscriptions: [paid], paidCount: 1, lastTotal: 900 }
  const asked: string[] = []
  const payments: Payments = {
    ...noPayments,
    kind: 'stripe',
    readCustomer: async () => truth,
    endNow: async (id) => {
      asked.push(`end ${id}`)
      truth = { ...truth, subscriptions: [{ ...paid, status: 'canceled', endedAt: clock.now() }] }
    },
    changeLater: async ({ subscription, items }) => {
      asked.push(items.map(({ price }) => price).join())
      const next = { at: subscription.period.end, items }
      truth = { ...truth, subscriptions: [{ ...subscription, next }] }
    },
  }
  const mail = { send: async (message: MailMessage) => void mails.push(message) }
  const makeInstance = () => ({ ...instanceOver(store, clock), mail, payments }) as unknown as Control
  const controls = [makeInstance(), makeInstance(), makeInstance()]
  const control = controls[0] ?? makeInstance()
  const claims = { subject: 'test:ada', email: 'ada@example.com', emailVerified: true, authTimeMs: start }
  const { members } = await ensureAccount(control, claims, { plan: 'free' })
  const account = members[0]?.account ?? ''
  await claimCustomer(control, account, customer)
  await followCustomer(control, customer)
  const worker = makeWorker(control, 4)
  const work = async () => {
    for (let round = 0; round < 4; round++) {
      clock.advance(1_000)
      await worker.round(60_000)
    }
  }
  return {
    account,
    asked,
    work,
    act: (act: 'plans.apply' | 'plans.migrate', input: object) =>
      runAct(
        { control, enrolment: enrolledRelayIdentity({ store, clock }) },
        { act, input, operator: 'test' },
      ),
    lose: async () => {
      truth = { ...truth, isDisputed: true, lostAt: start + dayMs }
    },
    /** Every instance at once. */
    look: () => Promise.allSettled(controls.map((one) => followCustomer(one, customer))),
    subjects: () => mails.map(({ subject }) => subject),
    planOf: async () => (await store.get(accounts.ref(account)))?.data.plan,
    doc: async () => (await store.get(subscriptions.ref(account)))?.data,
  }
}

export function describePayers(name: string, make: MakeStore, cases: Cases = 'all'): void {
  describe(`accounts that pay on ${name}`, () => {
    const { race } = casesOn(make, makePayerStage, cases)

    race(
      'a lost dispute that all see at once ends what was paid, and its people are told once',
      async (s) => {
        expect(await s.planOf()).toBe('pro')
        await s.lose()
        await s.look()
        await s.look()
        await s.work()
        expect(new Set(s.asked)).toEqual(new Set(['end sub_1']))
        expect(await s.planOf()).toBe('free')
        expect(await s.doc()).toMatchObject({ state: 'free', isDisputed: true })
        expect(s.subjects()).toEqual(['The subscription of "ada" has ended'])
      },
    )

    race(
      'a move that two operators ask for at once is told once, and is one change at the renewal',
      async (s) => {
        const { pro } = builtInCatalogue.plans
        const dearer = { ...pro, prices: { month: { usd: '11.00' } } }
        const file = { ...builtInCatalogue, version: 2, plans: { ...builtInCatalogue.plans, pro: dearer } }
        await s.act('plans.apply', { file })
        const moves = await Promise.all([1, 2].map(() => s.act('plans.migrate', { apply: true })))
        expect(moves.map((move) => (move as { told: number }).told).toSorted()).toEqual([0, 1])
        await s.look()
        await s.work()
        expect(s.subjects()).toEqual(['The plan of "ada" will change'])
        expect(await s.doc()).toMatchObject({ version: 1, moving: { to: 2 } })
      },
    )
  })
}
