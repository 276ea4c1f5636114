import { Secret } from '@porttunneler/shared/base/secret'
import { paymentEvents } from '@porttunneler/shared/control/money/billing-documents'
import Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../standalone/testing/control.ts'
import type { Fetch } from './answers.ts'
import { stripeWebhook } from './stripe-webhook.ts'

const secret = 'whsec_a_secret_of_this_test'
const thinSecret = 'whsec_of_thin_events'
const paid = {
  id: 'evt_1',
  object: 'event',
  type: 'invoice.paid',
  data: { object: { id: 'in_1', object: 'invoice', customer: 'cus_1' } },
}

let t: TestControl
let webhook: Fetch

beforeEach(() => {
  t = makeTestControl()
  webhook = stripeWebhook(t.control, [new Secret(secret), new Secret(thinSecret)])
})
afterEach(() => t.close())

const sign = (payload: string, options: { secret?: string; timestamp?: number } = {}) => {
  const timestamp = Math.floor(t.clock.now() / 1_000)
  return Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp, ...options })
}
const deliver = async (payload: string, signature: string = sign(payload)) => {
  const answer = await webhook(
    new Request('https://tunnel.example.com/hooks/stripe', {
      method: 'POST',
      body: payload,
      headers: { ...(signature !== '' && { 'stripe-signature': signature }) },
    }),
  )
  return { status: answer.status, body: await answer.json() }
}
const stored = async (id: string) => (await t.control.store.get(paymentEvents.ref(id)))?.data

describe('stripe webhook', () => {
  test('a signed event is stored before it is acknowledged, and waits until its customer was read', async () => {
    expect(await deliver(JSON.stringify(paid))).toEqual({
      status: 200,
      body: { received: true, outcome: 'stored' },
    })
    expect(await stored('evt_1')).toMatchObject({
      type: 'invoice.paid',
      object: 'in_1',
      customer: 'cus_1',
      state: 'waiting',
    })
    await t.runJobs()
    expect(await stored('evt_1')).toMatchObject({ state: 'handled', tries: 1 })
  })

  test('a repeated delivery is acknowledged and changes nothing', async () => {
    await deliver(JSON.stringify(paid))
    await t.runJobs()
    expect((await deliver(JSON.stringify(paid))).body).toMatchObject({ outcome: 'repeated' })
    expect(await stored('evt_1')).toMatchObject({ state: 'handled', tries: 1 })
  })

  test('a type that this release does not know is kept for one that does', async () => {
    const event = JSON.stringify({ ...paid, id: 'evt_2', type: 'entitlements.changed' })
    expect((await deliver(event)).body).toMatchObject({ outcome: 'unknown' })
    await t.runJobs()
    expect(await stored('evt_2')).toMatchObject({ state: 'unknown' })
  })

  test('a thin event of the other endpoint is taken with its own secret', async () => {
    const thin = JSON.stringify({
      id: 'evt_thin',
      object: 'v2.core.event',
      type: 'v1.billing.meter.error_report_triggered',
      related_object: { id: 'mtr_1' },
    })
    expect(await deliver(thin, sign(thin, { secret: thinSecret }))).toMatchObject({ status: 200 })
    await t.runJobs()
    expect(await stored('evt_thin')).toMatchObject({ object: 'mtr_1', state: 'handled' })
  })

  const text = JSON.stringify(paid)
  test.each([
    ['no signature', text, () => ''],
    ['a signature of noise', text, () => 't=1,v1=zz'],
    ['the signature of another secret', text, () => sign(text, { secret: 'whsec_other' })],
    ['the signature of another body', `${text} `, () => sign(text)],
    ['an old signature', text, () => sign(text, { timestamp: 1_700_000_000 })],
  ])('%s is refused with a code and leaves no trace', async (_name, body, signature) => {
    expect(await deliver(body, signature())).toMatchObject({ status: 400, body: { code: 'PT-5232' } })
    expect(await stored('evt_1')).toBeUndefined()
  })

  test.each([
    '{',
    '[]',
    '{"object":"event","id":"../evt","type":"x","data":{"object":{}}}',
    '{"id":"evt_1"}',
  ])('a signed body %s that is not an event is refused with a code', async (body) => {
    expect(await deliver(body)).toMatchObject({ status: 400, body: { code: 'PT-5233' } })
  })

  test('a body that is too large is refused before its signature is checked', async () => {
    expect((await deliver('x'.repeat(1_100_000), 't=1,v1=zz')).status).toBe(413)
  })
})
