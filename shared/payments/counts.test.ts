/** What a paying account costs beyond one that does not pay, in a month that renews: docs/decisions/0090. */
import { expect, test } from 'vitest'
import { makeTestControl } from '../../standalone/testing/control.ts'
import { Secret } from '../base/secret.ts'
import { startCheckout } from '../control/money/selling.ts'
import { runAct } from '../control/operator/acts.ts'
import { type CountingStore, countingStore } from '../testing/counting-store.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { startStripe } from '../testing/stripe/server.ts'
import { openPayments } from './open.ts'
import { takeWebhook } from './webhook.ts'

const dayMs = 24 * 3_600_000
/** US dollars for 100,000, as docs/cost.md assumes them, in several regions. */
const prices = { reads: 0.06, writes: 0.18, deletes: 0.02 }
/** With a little room. A change that exceeds them has to be worth its price. */
const most = { writes: 40, calls: 50, dollars: 0.0003 }

async function month(pays: boolean) {
  const clock = new FakeClock()
  const secrets: Secret[] = []
  let counting: CountingStore | undefined
  const stripe = await startStripe({
    clock,
    send: async ({ url, body, headers }) =>
      (await takeWebhook(t.control, new Request(url, { method: 'POST', body, headers }), secrets)).status,
  })
  const t = makeTestControl({
    plan: 'free',
    payments: openPayments({ key: new Secret(stripe.key), server: stripe.sdk }),
    wrapStore(store) {
      counting = countingStore(store)
      return counting.store
    },
  })
  const settle = async () => {
    stripe.catchUp()
    await stripe.deliver()
    await t.runJobs()
  }
  const pass = async (days: number) => {
    for (let day = 0; day < days; day++) {
      clock.advance(dayMs)
      t.clock.advance(dayMs)
      await settle()
    }
  }
  clock.advance(t.clock.now() - clock.now())
  await t.openCell()
  const { user, ...made } = await t.caller('ada@example.com')
  const ada = { ...made, ...(user && { user: { ...user, emailVerified: true } }) }
  const context = { control: t.control, enrolment: t.relayIdentity }
  const synced = await runAct(context, { act: 'billing.sync', input: { apply: true }, operator: 'grace' })
  secrets.push(new Secret(String((synced as { webhookSecret?: string }).webhookSecret)))
  if (pays) {
    const choice = { plan: 'pro', interval: 'month', seats: 1, currency: 'usd' } as const
    const { url } = await startCheckout(t.control, t.of(ada), ada, choice)
    const form = { email: 'ada@example.com', name: 'Ada', country: 'US', number: '4242424242424242' }
    await fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
  }
  await settle()
  await pass(20)
  const before = { ...counting?.counts, calls: stripe.calls() }
  await pass(30)
  const after = { ...counting?.counts, calls: stripe.calls() }
  const invoices = [...stripe.world.tables.invoices.values()].filter(({ total }) => total > 0).length
  await t.close()
  await stripe.close()
  const of = (name: 'reads' | 'writes' | 'deletes' | 'calls') => (after[name] ?? 0) - (before[name] ?? 0)
  return { reads: of('reads'), writes: of('writes'), deletes: of('deletes'), calls: of('calls'), invoices }
}

test('a paying account-month stays far below a cent', { timeout: 60_000 }, async () => {
  const [paying, idle] = [await month(true), await month(false)]
  expect([paying.invoices, idle.invoices], 'it has renewed').toEqual([2, 0])
  const extra = {
    reads: paying.reads - idle.reads,
    writes: paying.writes - idle.writes,
    deletes: paying.deletes - idle.deletes,
    calls: paying.calls - idle.calls,
  }
  const names = ['reads', 'writes', 'deletes'] as const
  const dollars = names.reduce((sum, name) => sum + (extra[name] * prices[name]) / 100_000, 0)
  if (process.env.PT_PRINT_COUNTS) process.stdout.write(`${JSON.stringify({ ...extra, dollars })}\n`)
  expect(extra.writes).toBeGreaterThan(5)
  expect(extra.calls).toBeGreaterThan(5)
  expect(
    { writes: extra.writes <= most.writes, calls: extra.calls <= most.calls },
    JSON.stringify(extra),
  ).toEqual({
    writes: true,
    calls: true,
  })
  expect(dollars).toBeLessThan(most.dollars)
})
