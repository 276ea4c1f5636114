/**
 * A control plane, the test server for Stripe, and one person who pays: time is moved by hand, webhooks arrive in any
 * order and some twice. End it with `close`.
 */
import { expect } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import { newId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import { accounts, deletedTunnels } from '../control/documents.ts'
import { type SubscriptionDoc, subscriptions } from '../control/money/billing-documents.ts'
import { setCap } from '../control/money/capping.ts'
import { changePlan, startCheckout } from '../control/money/selling.ts'
import { runAct } from '../control/operator/acts.ts'
import { limitsOf } from '../control/plans.ts'
import { openPayments } from '../payments/open.ts'
import { takeWebhook } from '../payments/webhook.ts'
import { FakeClock } from './fake-clock.ts'
import { sdkOf } from './stripe/sdk.ts'
import { startStripe } from './stripe/server.ts'
import type { Settings } from './stripe/settings.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const tunnel = newId('tun', 1)
type Choice = Parameters<typeof startCheckout>[3]
/** Good for as long as the test wants: changes are few in a day. */
const usual = { plan: 'pro', interval: 'month', seats: 1, currency: 'usd' } as const

export type PayerStage = Awaited<ReturnType<typeof openPayerStage>>

/** @param settings of the Dashboard */
export async function openPayerStage(settings: Partial<Settings> = {}) {
  const clock = new FakeClock()
  const secrets: Secret[] = []
  const stripe = await startStripe({
    clock,
    settings: { cardsAre: 'numbers', ...settings },
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
    cap: async (text: string) => {
      await setCap(t.control, own(), ada, text)
      await settle()
    },
    /** A relay carries it in the hour that comes. Then the books have counted it; it is reported two minutes later. */
    async carry(gigabytes: number) {
      const hour = Math.floor(t.clock.now() / hourMs) * hourMs + 2 * hourMs
      await pass(hour + 40 * minuteMs - t.clock.now())
      const ttl = new Date(t.clock.now() + 1_000 * 24 * hourMs)
      const gone = { account: ada.account, cell: 'home', deletedAt: 0, ttl }
      await t.control.store.set(deletedTunnels.ref(tunnel), gone)
      const row = { tunnel, account: ada.account, boot: quietSync.boot.boot, hour, opened: 1, refused: 0 }
      await t.sync({ usage: [{ ...row, in: 0, out: gigabytes * 1_000_000_000 }] })
      await pass(hour + 83 * minuteMs - t.clock.now())
    },
    /** Transfer on all invoices. */
    transferBilled: () =>
      stripe.world
        .all('invoices')
        .flatMap(({ lines }) => lines.data)
        .filter(({ description, quantity }) => /per MB/.test(description ?? '') && quantity !== 0)
        .map(({ quantity, amount }) => ({ quantity, amount })),
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
