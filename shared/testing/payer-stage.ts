/**
 * A control plane, the test server for Stripe, and one person who pays: time is moved by hand, webhooks arrive in any
 * order and some twice. End it with `close`.
 */
import { expect } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { Secret } from '../base/secret.ts'
import { accounts } from '../control/documents.ts'
import { type SubscriptionDoc, subscriptions } from '../control/money/billing-documents.ts'
import { changePlan, startCheckout } from '../control/money/selling.ts'
import { runAct } from '../control/operator/acts.ts'
import { limitsOf } from '../control/plans.ts'
import { openPayments } from '../payments/open.ts'
import { takeWebhook } from '../payments/webhook.ts'
import { FakeClock } from './fake-clock.ts'
import { sdkOf } from './stripe/sdk.ts'
import { startStripe } from './stripe/server.ts'

type Choice = Parameters<typeof startCheckout>[3]
/** Good for as long as the test wants: changes are few in a day. */
const usual = { plan: 'pro', interval: 'month', seats: 1, currency: 'usd' } as const

export type PayerStage = Awaited<ReturnType<typeof openPayerStage>>

export async function openPayerStage() {
  const clock = new FakeClock()
  const secrets: Secret[] = []
  const stripe = await startStripe({
    clock,
    settings: { cardsAre: 'numbers' },
    send: async ({ url, body, headers }) =>
      (await takeWebhook(t.control, new Request(url, { method: 'POST', body, headers }), secrets)).status,
  })
  const t: TestControl = makeTestControl({
    plan: 'free',
    payments: openPayments({ key: new Secret(stripe.key), server: stripe.sdk }),
  })
  clock.advance(t.clock.now() - clock.now())
  await t.openCell()
  const act = (name: string, input: object = {}) =>
    runAct({ control: t.control, enrolment: t.relayIdentity }, { act: name, input, operator: 'grace' })
  const synced = await act('billing.sync', { apply: true })
  secrets.push(new Secret(String((synced as { webhookSecret?: string }).webhookSecret)))
  const made = await t.caller('ada@example.com')
  const ada = { ...made, ...(made.user && { user: { ...made.user, emailVerified: true } }) }
  const own = () => t.of(ada)
  /** Webhooks, and then the jobs that they asked for, and those that these asked for. */
  const settle = async () => {
    stripe.catchUp()
    for (let round = 0; round < 2; round++) {
      await stripe.deliver({ random: Math.random, twice: () => Math.random() < 0.3 })
      await t.runJobs()
    }
  }
  const pass = async (ms: number) => {
    clock.advance(ms)
    t.clock.advance(ms)
    await settle()
  }
  return {
    t,
    ada,
    own,
    stripe,
    sdk: sdkOf(stripe),
    act,
    settle,
    pass,
    /** @returns the status of the payment page's answer */
    async buy(choice: Partial<Choice> = {}, number = '4242424242424242'): Promise<number> {
      const { url } = await startCheckout(t.control, own(), ada, { ...usual, ...choice })
      const form = { email: 'ada@example.com', name: 'Ada', country: 'US', number }
      const init = { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' } as const
      const { status } = await fetch(url, init)
      await settle()
      return status
    },
    async change(choice: Partial<Choice> & { readonly plan: string }) {
      const outcome = await changePlan(t.control, own(), ada, { ...usual, ...choice, isDry: false })
      await settle()
      return outcome
    },
    async doc(): Promise<SubscriptionDoc> {
      return (
        (await t.control.store.get(subscriptions.ref(ada.account)))?.data ?? expect.fail('a subscription')
      )
    },
    async rights() {
      const found = (await t.control.store.get(accounts.ref(ada.account)))?.data
      if (!found) return expect.fail('an account')
      const { tunnelsOnline, seats } = limitsOf(found)
      return { plan: found.plan, tunnelsOnline, seats }
    },
    /** Totals of all invoices, the newest first. */
    totals: () =>
      stripe.world
        .all('invoices')
        .map(({ total }) => total)
        .toReversed(),
    async close() {
      await t.close()
      await stripe.close()
    },
  }
}
