import { Secret } from '@porttunneler/shared/base/secret'
import type { PaymentEvent } from '@porttunneler/shared/control/payment-events'
import Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../standalone/testing/control.ts'
import type { Fetch } from './answers.ts'
import { stripeWebhook } from './stripe-webhook.ts'

const secret = 'whsec_a_secret_of_this_test'
const paid = { id: 'evt_1', object: 'event', type: 'invoice.paid', data: { object: { id: 'in_1' } } }

let t: TestControl
let webhook: Fetch
let handled: PaymentEvent[]
let failure: Error | undefined

beforeEach(() => {
  t = makeTestControl()
  handled = []
  failure = undefined
  webhook = stripeWebhook({
    control: t.control,
    secret: new Secret(secret),
    handlers: new Map([
      [
        'invoice.paid',
        async (_control, event) => {
          handled.push(event)
          if (failure) throw failure
        },
      ],
    ]),
  })
})
afterEach(() => t.close())

const sign = (payload: string, options: { secret?: string; timestamp?: number } = {}) =>
  Stripe.webhooks.generateTestHeaderString({ payload, secret, ...options })
const deliver = async (payload: string, signature: string | undefined = sign(payload)) => {
  const answer = await webhook(
    new Request('https://tunnel.example.com/', {
      method: 'POST',
      body: payload,
      headers: { ...(signature !== '' && { 'stripe-signature': signature }) },
    }),
  )
  return { status: answer.status, body: await answer.json() }
}

describe('stripe webhook', () => {
  test('a signed event reaches its handler and is acknowledged', async () => {
    expect(await deliver(JSON.stringify(paid))).toEqual({
      status: 200,
      body: { received: true, outcome: 'handled' },
    })
    expect(handled).toEqual([{ id: 'evt_1', type: 'invoice.paid', object: 'in_1' }])
  })

  test('a repeated delivery is acknowledged and changes nothing', async () => {
    await deliver(JSON.stringify(paid))
    expect((await deliver(JSON.stringify(paid))).body).toMatchObject({ outcome: 'repeated' })
    expect(handled).toHaveLength(1)
  })

  test('a handler that fails gets the event again with the next delivery', async () => {
    failure = new Error('the store was away')
    expect(await deliver(JSON.stringify(paid))).toMatchObject({ status: 500, body: { code: 'PT-0007' } })
    failure = undefined
    expect((await deliver(JSON.stringify(paid))).body).toMatchObject({ outcome: 'handled' })
    expect(handled).toHaveLength(2)
  })

  test('an event that nobody handles is acknowledged and recorded', async () => {
    const event = JSON.stringify({ ...paid, id: 'evt_2', type: 'customer.created' })
    expect((await deliver(event)).body).toMatchObject({ outcome: 'ignored' })
    expect((await deliver(event)).body).toMatchObject({ outcome: 'repeated' })
  })

  const text = JSON.stringify(paid)
  test.each([
    ['no signature', text, ''],
    ['a signature of noise', text, 't=1,v1=zz'],
    ['the signature of another secret', text, sign(text, { secret: 'whsec_other' })],
    ['the signature of another body', `${text} `, sign(text)],
    ['an old signature', text, sign(text, { timestamp: 1_700_000_000 })],
  ])('%s is refused with a code and leaves no trace', async (_name, body, signature) => {
    expect(await deliver(body, signature)).toMatchObject({ status: 400, body: { code: 'PT-5232' } })
    expect(handled).toEqual([])
    expect((await deliver(text)).body).toMatchObject({ outcome: 'handled' })
  })

  test.each(['{', '[]', '{"id":"../evt","type":"x","data":{"object":{}}}', '{"id":"evt_1"}'])(
    'a signed body %s that is not an event is refused with a code',
    async (body) => {
      expect(await deliver(body)).toMatchObject({ status: 400, body: { code: 'PT-5233' } })
    },
  )

  test('a body that is too large is refused before its signature is checked', async () => {
    expect((await deliver('x'.repeat(1_100_000), 't=1,v1=zz')).status).toBe(413)
  })
})
