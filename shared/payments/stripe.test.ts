import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { Secret } from '../base/secret.ts'
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
  await stripe[Symbol.asyncDispose]()
})

describe('stripe', () => {
  test('a customer is made once for an account, however often it is asked for', async () => {
    const { payments } = t.control
    const first = await payments.makeCustomer('acc_1', 'ada@example.com')
    expect(await payments.makeCustomer('acc_1', 'ada@example.com')).toBe(first)
  })

  test('a wrong key and an outage have codes of their own', async () => {
    const wrong = openPayments({ key: new Secret('sk_test_wrong'), server: stripe.sdk })
    await expect(wrong.makeCustomer('acc_1', 'ada@example.com')).rejects.toMatchObject({ key: 'billing.key' })
    await stripe[Symbol.asyncDispose]()
    await expect(t.control.payments.makeCustomer('acc_1', 'ada@example.com')).rejects.toMatchObject({
      key: 'billing.unavailable',
    })
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
