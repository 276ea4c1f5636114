import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { Secret } from '../base/secret.ts'
import { builtInCatalogue } from '../control/money/built-in.ts'
import { thinEvents } from '../control/money/event-types.ts'
import { runAct } from '../control/operator/acts.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { startStripe } from '../testing/stripe/server.ts'
import { openPayments } from './open.ts'

let stripe: Awaited<ReturnType<typeof startStripe>>
let t: TestControl
beforeEach(async () => {
  stripe = await startStripe({ clock: new FakeClock() })
  t = makeTestControl({ payments: openPayments({ key: new Secret(stripe.key), server: stripe.sdk }) })
})
afterEach(async () => {
  await t.close()
  await stripe.close()
})

const act = (name: string, input: object) =>
  runAct({ control: t.control, enrolment: t.relayIdentity }, { act: name, input, operator: 'grace' })

describe('billing sync', () => {
  test('says what is missing, makes it once, and then finds all of it', async () => {
    const wanted = await act('billing.sync', {})
    expect(wanted).toMatchObject({ applied: false, present: 0 })
    expect(wanted).toHaveProperty('missing', [
      'meter pt_transfer_mb_v1',
      'price pt:pro:1:month:usd (900 usd, minor units)',
      'price pt:pro:1:year:usd (9000 usd, minor units)',
      'price pt:team:1:month:usd (3900 usd, minor units)',
      'price pt:team-seats:1:month:usd (900 usd, minor units)',
      'price pt:team:1:year:usd (39000 usd, minor units)',
      'price pt:team-seats:1:year:usd (9000 usd, minor units)',
      'price pt:transfer:pt_transfer_mb_v1:usd (0.012 usd, minor units)',
      'portal configuration',
      'webhook endpoint https://tunnel.example.com/hooks/stripe',
      'event destination https://tunnel.example.com/hooks/stripe',
    ])
    const made = await act('billing.sync', { apply: true })
    const secret = expect.stringMatching(/^whsec_/)
    expect(made).toMatchObject({ applied: true, webhookSecret: secret, eventsSecret: secret })
    expect(stripe.world.all('destinations')).toMatchObject([
      { event_payload: 'thin', enabled_events: [...thinEvents] },
    ])
    expect(await act('billing.sync', { apply: true })).toEqual({ applied: true, missing: [], present: 7 })
  })

  test('a price that differs stops it, and a higher version of the plans gets prices of its own', async () => {
    await act('billing.sync', { apply: true })
    const { pro, ...others } = builtInCatalogue.plans
    const dearer = { ...pro, prices: { month: { usd: '10.00' }, year: { usd: '100.00' } } }
    await act('plans.apply', { file: { ...builtInCatalogue, version: 2, plans: { ...others, pro: dearer } } })
    expect(await act('billing.sync', { apply: true })).toMatchObject({ present: 1 })
    expect(await act('billing.sync', {})).toMatchObject({ missing: [], present: 7 })
  })

  test('a customer is made once for an account, and what Stripe says of it is read', async () => {
    const { payments } = t.control
    const first = await payments.makeCustomer('acc_1', 'ada@example.com')
    expect(await payments.makeCustomer('acc_1', 'ada@example.com')).toBe(first)
  })

  test('a wrong key and an outage have codes of their own', async () => {
    const wrong = openPayments({ key: new Secret('sk_test_wrong'), server: stripe.sdk })
    await expect(wrong.findObjects()).rejects.toMatchObject({ key: 'billing.key' })
    await stripe.close()
    await expect(t.control.payments.findObjects()).rejects.toMatchObject({ key: 'billing.unavailable' })
  })
})

test('a server without a key sells nothing, and says so', async () => {
  const off = makeTestControl()
  const sync = runAct(
    { control: off.control, enrolment: off.relayIdentity },
    { act: 'billing.sync', input: {}, operator: 'grace' },
  )
  await expect(sync).rejects.toMatchObject({ key: 'billing.off' })
  await off.close()
})
