/** What `npm run disaster` measures. */
import { expect, test } from 'vitest'
import { longTest } from './breadth.ts'
import { loseDnsProvider } from './disaster/dns.ts'
import { holdMessages } from './disaster/held-messages.ts'
import { loseServer } from './disaster/server.ts'
import { loseStripe, loseStripeEvents, loseStripeKey, restoreOlderThanStripe } from './disaster/stripe.ts'

test('a server that is lost with its disk comes back from a backup, and its agents go on by themselves', {
  timeout: 240_000,
}, async () => {
  expect((await loseServer()).rtoMs).toBeGreaterThan(0)
})

test('records of cells are right again soon after the DNS provider is back', async () => {
  expect((await loseDnsProvider()).rtoMs).toBeLessThanOrEqual(10 * 60_000)
})

test('an hour without any message delays nothing by more than a minute, and then nothing is done twice', async () => {
  expect((await holdMessages()).rtoMs).toBeLessThanOrEqual(60_000)
})

test.each([
  ['a day of Stripe’s events is lost', loseStripeEvents],
  ['the database is older than what Stripe knows', restoreOlderThanStripe],
])('%s: what people pay for is right a minute after it is asked for', async (_, drill) => {
  expect((await drill()).rtoMs).toBeLessThanOrEqual(60_000)
})

longTest.each([
  ['Stripe does not answer', loseStripe],
  ['Stripe’s key is revoked', loseStripeKey],
])('%s for hours: who pays keeps the plan, and what changed is known after an hour', async (_, drill) => {
  expect((await drill()).rtoMs).toBeLessThanOrEqual(90 * 60_000)
})
