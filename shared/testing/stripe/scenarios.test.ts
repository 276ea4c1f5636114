/**
 * The scenarios against the test server; with a key of a sandbox, there. A sandbox needs minutes for each, and keeps
 * products and prices, which cannot be deleted.
 *
 *   STRIPE_KEY=sk_test_... npx vitest run --project unit shared/testing/stripe/scenarios.test.ts
 */
import { randomBytes } from 'node:crypto'
import Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../fake-clock.ts'
import { type Stage, scenarios } from './scenarios.ts'
import { type StripeServer, startStripe } from './server.ts'

const key = process.env.STRIPE_KEY
/** In a sandbox, a clock of its own stands and moves for minutes. */
const timeout = key === undefined ? 60_000 : 600_000

let server: StripeServer | undefined
let stage: Stage
let sdk: Stripe
let clock: Stripe.TestHelpers.TestClock

beforeEach(async () => {
  if (key !== undefined && !key.startsWith('sk_test_'))
    throw new TypeError('STRIPE_KEY is no key of a sandbox')
  server = key === undefined ? await startStripe({ clock: new FakeClock(Date.now()) }) : undefined
  sdk = server
    ? new Stripe(server.key, { ...server.sdk, maxNetworkRetries: 0 })
    : new Stripe(key ?? '', { maxNetworkRetries: 3 })
  clock = await sdk.testHelpers.testClocks.create({
    frozen_time: Math.floor(Date.now() / 1_000),
    name: 'scenario',
  })
  stage = stageOf(randomBytes(6).toString('hex'))
}, timeout)
afterEach(async () => {
  await sdk.testHelpers.testClocks.del(clock.id)
  await server?.close()
}, timeout)

function stageOf(unique: string): Stage {
  return {
    sdk,
    unique,
    now: () => clock.frozen_time,
    decimal: (text) => Stripe.Decimal.from(text),
    async advance(seconds) {
      // A clock moves by at most two of the shortest intervals at once, which 31 days always are.
      const end = clock.frozen_time + seconds
      while (clock.frozen_time < end) {
        const step = Math.min(end, clock.frozen_time + 31 * 86_400)
        await sdk.testHelpers.testClocks.advance(clock.id, { frozen_time: step })
        const status = async () => {
          clock = await sdk.testHelpers.testClocks.retrieve(clock.id)
          return clock.status
        }
        await expect.poll(status, { timeout: 300_000, interval: key === undefined ? 5 : 2_000 }).toBe('ready')
      }
    },
    async customer(card = 'pm_card_visa', more = {}) {
      const { id } = await sdk.customers.create({ test_clock: clock.id, email: 'a@example.com', ...more })
      if (card === '') return id
      const method = await sdk.paymentMethods.attach(card, { customer: id })
      await sdk.customers.update(id, { invoice_settings: { default_payment_method: method.id } })
      return id
    },
    async price(cents, more = {}) {
      const { id: product } = await sdk.products.create({ name: `Plan ${unique}` })
      const recurring = { interval: 'month' } as const
      return sdk.prices.create({ currency: 'usd', product, unit_amount: cents, recurring, ...more })
    },
  }
}

describe('stripe scenarios', () => {
  test.each(scenarios)('$name', ({ run }) => run(stage), timeout)
})
