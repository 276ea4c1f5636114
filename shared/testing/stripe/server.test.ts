import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../fake-clock.ts'
import type { Sent } from './deliveries.ts'
import { type StartOptions, type StripeServer, startStripe } from './server.ts'

let clock: FakeClock
let stripe: StripeServer
let sdk: Stripe
let sent: Sent[]
/** What the receiver of webhooks answers. */
let answer: number

const start = async (options: Partial<StartOptions> = {}) => {
  stripe = await startStripe({
    clock,
    send: async (one) => {
      sent.push(one)
      return answer
    },
    ...options,
  })
  sdk = new Stripe(stripe.key, { ...stripe.sdk, maxNetworkRetries: 0 })
}

beforeEach(async () => {
  clock = new FakeClock()
  sent = []
  answer = 200
  await start()
})
afterEach(() => stripe.close())

/** What the SDK throws. */
const refused = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable('it was not refused'),
    (error: Stripe.errors.StripeError) => ({
      status: error.statusCode,
      type: error.rawType,
      code: error.code,
      param: error.param,
    }),
  )
const raw = (path: string, init: RequestInit = {}) =>
  fetch(`${stripe.url}${path}`, {
    ...init,
    headers: {
      authorization: `Bearer ${stripe.key}`,
      'stripe-version': '2026-10-28.endive',
      ...init.headers,
    },
  })

describe('stripe test server: requests', () => {
  test('a customer is made, changed, found and listed as the SDK expects it', async () => {
    const made = await sdk.customers.create({ email: 'a@example.com', metadata: { account: 'acc_1' } })
    expect(made).toMatchObject({
      object: 'customer',
      email: 'a@example.com',
      livemode: false,
      created: 1_767_225_600,
    })
    const changed = await sdk.customers.update(made.id, { name: 'A', metadata: { account: '', plan: 'pro' } })
    expect(changed).toMatchObject({ name: 'A', metadata: { plan: 'pro' } })
    expect(await sdk.customers.retrieve(made.id)).toMatchObject({ id: made.id, name: 'A' })
    expect((await sdk.customers.list({ email: 'a@example.com' })).data).toHaveLength(1)
  })

  test('an unknown parameter is refused, also inside of others', async () => {
    const call = sdk.customers.create({ e_mail: 'a' } as Stripe.CustomerCreateParams)
    expect(await refused(call)).toEqual({
      status: 400,
      type: 'invalid_request_error',
      code: 'parameter_unknown',
      param: 'e_mail',
    })
    const inner = sdk.customers.create({ address: { city: 'X', planet: 'Y' } } as Stripe.CustomerCreateParams)
    expect(await refused(inner)).toMatchObject({ code: 'parameter_unknown', param: 'address[planet]' })
  })

  test.each([
    ['another key', { authorization: 'Bearer sk_test_other' }, 401],
    ['no version', { 'stripe-version': '' }, 400],
    ['an older version', { 'stripe-version': '2024-06-20' }, 400],
  ])('%s is refused', async (_name, headers, status) => {
    expect((await raw('/v1/customers', { headers })).status).toBe(status)
  })

  test.each(['email=a&email=b', 'address=x&address[city]=y', 'a[b=1', '[x]=1', 'address[__proto__][x]=1'])(
    'the form %s is refused',
    async (body) => {
      const answer = await raw('/v1/customers', {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
      expect(answer.status).toBe(400)
    },
  )

  test('an id that does not exist is 404 in the path and 400 in a parameter', async () => {
    expect(await refused(sdk.customers.retrieve('cus_none'))).toMatchObject({
      status: 404,
      code: 'resource_missing',
    })
    const price = sdk.prices.create({ currency: 'usd', unit_amount: 1, product: 'prod_none' })
    expect(await refused(price)).toMatchObject({ status: 400, code: 'resource_missing', param: 'product' })
  })

  test('pages: the newest first, 10 unless asked, and every one exactly once', async () => {
    const made: string[] = []
    for (let index = 0; index < 23; index++) made.push((await sdk.customers.create()).id)
    expect((await sdk.customers.list()).data).toHaveLength(10)
    const listed: string[] = []
    for await (const { id } of sdk.customers.list({ limit: 7 })) listed.push(id)
    expect(listed).toEqual(made.toReversed())
    const back = await sdk.customers.list({ limit: 3, ending_before: listed[5] ?? '' })
    expect(back.data.map(({ id }) => id)).toEqual(listed.slice(2, 5))
    expect(back.has_more).toBe(true)
    expect(await refused(sdk.customers.list({ limit: 101 }))).toMatchObject({ status: 400, param: 'limit' })
  })

  test('the rate limit refuses what is above it, and forgets with the next second', async () => {
    await stripe.close()
    await start({ settings: { ratePerSecond: 2 } })
    await sdk.customers.list()
    await sdk.customers.list()
    expect(await refused(sdk.customers.list())).toMatchObject({ status: 429, code: 'rate_limit' })
    clock.advance(1_000)
    await sdk.customers.list()
  })
})

describe('stripe test server: idempotency and faults', () => {
  test('the same key and request get the first answer, for a day', async () => {
    const once = () => sdk.customers.create({ name: 'A' }, { idempotencyKey: 'k1' })
    const first = await once()
    expect((await once()).id).toBe(first.id)
    clock.advance(24 * 3_600_000)
    expect((await once()).id).not.toBe(first.id)
  })

  test('the same key with another request is an error', async () => {
    await sdk.customers.create({ name: 'A' }, { idempotencyKey: 'k1' })
    const other = sdk.customers.create({ name: 'B' }, { idempotencyKey: 'k1' })
    expect(await refused(other)).toMatchObject({ status: 400, type: 'idempotency_error' })
  })

  test('a lost answer is found again by its key: nothing is made twice', async () => {
    // The SDK itself repeats a broken line once, whatever it is told.
    stripe.faults.plan({ kind: 'lost', request: 'POST /v1/customers', times: 2 })
    const once = () => sdk.customers.create({ name: 'A' }, { idempotencyKey: 'k1' })
    await expect(once()).rejects.toThrow(Stripe.errors.StripeConnectionError)
    await once()
    expect((await sdk.customers.list()).data).toHaveLength(1)
  })

  test('a 500 is kept for its key, although nothing happened', async () => {
    stripe.faults.plan({ kind: 'failed' })
    const once = () => sdk.customers.create({ name: 'A' }, { idempotencyKey: 'k1' })
    expect(await refused(once())).toMatchObject({ status: 500, type: 'api_error' })
    expect(await refused(once())).toMatchObject({ status: 500 })
    expect((await sdk.customers.list()).data).toHaveLength(0)
  })

  test('a key is in use while its request is slow', async () => {
    stripe.faults.plan({ kind: 'slow', request: 'POST' })
    const once = () => sdk.customers.create({ name: 'A' }, { idempotencyKey: 'k1' })
    const slow = once()
    await expect.poll(() => stripe.faults.waiting, { timeout: 10_000 }).toBe(1)
    expect(await refused(once())).toMatchObject({ status: 409 })
    stripe.faults.release()
    const made = await slow
    expect((await once()).id).toBe(made.id)
  })

  test('the SDK repeats what broke before anything happened', async () => {
    const patient = new Stripe(stripe.key, { ...stripe.sdk, maxNetworkRetries: 1 })
    stripe.faults.plan({ kind: 'unreachable' })
    await patient.customers.create({ name: 'A' })
    expect((await sdk.customers.list()).data).toHaveLength(1)
  })
})

describe('stripe test server: catalogue', () => {
  test('a price of a fraction of a cent arrives as a decimal, and its key is its own', async () => {
    const product = await sdk.products.create({ name: 'Transfer' })
    const asked = {
      currency: 'usd',
      product: product.id,
      unit_amount_decimal: Stripe.Decimal.from('0.012'),
      recurring: { interval: 'month' },
      lookup_key: 'pt:transfer',
    } satisfies Stripe.PriceCreateParams
    const price = await sdk.prices.create(asked)
    expect(price.unit_amount).toBeNull()
    expect(price.unit_amount_decimal?.toString()).toBe('0.012')
    expect(await refused(sdk.prices.create(asked))).toMatchObject({ status: 400, param: 'lookup_key' })
    const next = await sdk.prices.create({ ...asked, transfer_lookup_key: true })
    expect((await sdk.prices.list({ lookup_keys: ['pt:transfer'] })).data.map(({ id }) => id)).toEqual([
      next.id,
    ])
    expect(await refused(sdk.products.del(product.id))).toMatchObject({ status: 400 })
  })

  test('what a price costs cannot be changed', async () => {
    const product = await sdk.products.create({ name: 'Pro' })
    const price = await sdk.prices.create({ currency: 'usd', product: product.id, unit_amount: 900 })
    const change = sdk.prices.update(price.id, { unit_amount: 1 } as Stripe.PriceUpdateParams)
    expect(await refused(change)).toMatchObject({ code: 'parameter_unknown', param: 'unit_amount' })
    const expanded = await sdk.prices.retrieve(price.id, { expand: ['product'] })
    expect(expanded.product).toMatchObject({ name: 'Pro' })
    expect(await refused(sdk.prices.retrieve(price.id, { expand: ['currency'] }))).toMatchObject({
      param: 'expand',
    })
  })

  test('tiers are shown when they are expanded', async () => {
    const product = await sdk.products.create({ name: 'Seats' })
    const price = await sdk.prices.create({
      currency: 'usd',
      product: product.id,
      billing_scheme: 'tiered',
      tiers_mode: 'graduated',
      tiers: [
        { up_to: 3, unit_amount: 0 },
        { up_to: 'inf', unit_amount: 900 },
      ],
    })
    expect(price.tiers).toBeUndefined()
    const { tiers } = await sdk.prices.retrieve(price.id, { expand: ['tiers'] })
    expect(tiers?.map(({ up_to: end }) => end)).toEqual([3, null])
  })
})

describe('stripe test server: webhooks', () => {
  const endpoint = () =>
    sdk.webhookEndpoints.create({
      url: 'https://tunnel.example.com/webhooks/stripe',
      enabled_events: ['customer.created'],
      api_version: '2026-10-28.endive',
    })

  test('an event is signed for its endpoint, and the SDK believes it', async () => {
    const { secret = '' } = await endpoint()
    const { id } = await sdk.customers.create({ name: 'A' }, { idempotencyKey: 'k1' })
    await sdk.customers.update(id, { name: 'B' })
    expect(await stripe.deliver()).toEqual({ taken: 1, failed: 0 })
    const [{ body = '', headers = {} } = {}] = sent
    const signature = headers['stripe-signature'] ?? ''
    const event = Stripe.webhooks.constructEvent(body, signature, secret, undefined, undefined, clock.now())
    expect(event).toMatchObject({
      type: 'customer.created',
      data: { object: { id, name: 'A' } },
      request: { idempotency_key: 'k1' },
    })
    expect(() =>
      Stripe.webhooks.constructEvent(body, signature, 'whsec_other', undefined, undefined, clock.now()),
    ).toThrow()
    expect(stripe.undelivered()).toBe(0)
  })

  test('a failed one comes again, until three days are over', async () => {
    await endpoint()
    await sdk.customers.create()
    answer = 500
    expect(await stripe.deliver()).toEqual({ taken: 0, failed: 1 })
    expect(await stripe.deliver()).toEqual({ taken: 0, failed: 0 })
    const { data } = await sdk.events.list({ type: 'customer.created', delivery_success: false })
    expect(data).toMatchObject([{ pending_webhooks: 1 }])
    for (let hours = 0; hours < 80; hours++) {
      clock.advance(3_600_000)
      await stripe.deliver()
    }
    expect(stripe.undelivered()).toBe(0)
    expect(sent.length).toBeGreaterThan(8)
  })

  test('order, doubles, delay and loss are as a test wants them', async () => {
    await endpoint()
    const ids: string[] = []
    for (let index = 0; index < 8; index++) ids.push((await sdk.customers.create()).id)
    const about = (index: number) => (event: { data: object }) =>
      'object' in event.data && (event.data.object as { id: string }).id === ids[index]
    let seed = 1
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed / 2_147_483_647
    }
    await stripe.deliver({ random, twice: about(0), late: about(1), lost: about(2) })
    const got = sent.map(({ body }) => JSON.parse(body).data.object.id)
    expect(got).toHaveLength(7)
    expect(got.filter((id) => id === ids[0])).toHaveLength(2)
    expect([...got].sort()).not.toEqual(got)
    await stripe.deliver()
    expect(JSON.parse(sent.at(-1)?.body ?? '').data.object.id).toBe(ids[1])
    expect(sent).toHaveLength(8)
  })

  test('an address that Stripe cannot reach is refused, and events are gone after 30 days', async () => {
    const local = sdk.webhookEndpoints.create({ url: 'http://127.0.0.1:1/', enabled_events: ['*'] })
    expect(await refused(local)).toMatchObject({ status: 400, param: 'url' })
    await sdk.customers.create()
    const [event] = (await sdk.events.list()).data
    expect((await sdk.events.retrieve(event?.id ?? '')).id).toBe(event?.id)
    clock.advance(31 * 86_400_000)
    expect((await sdk.events.list()).data).toEqual([])
    expect(await refused(sdk.events.retrieve(event?.id ?? ''))).toMatchObject({ status: 404 })
  })

  test('over HTTP: 2xx is taken, everything else and silence come again', async () => {
    await stripe.close()
    await start({ settings: { localWebhooks: true }, send: undefined })
    const answers = [500, 302, 204]
    const receiver = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(answers.shift() ?? 0, { location: '/' }).end())
    })
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    const { port } = receiver.address() as AddressInfo
    await sdk.webhookEndpoints.create({ url: `http://127.0.0.1:${port}/`, enabled_events: ['*'] })
    await sdk.customers.create()
    const outcomes: { taken: number; failed: number }[] = []
    for (let count = 0; count < 3; count++) {
      outcomes.push(await stripe.deliver())
      clock.advance(3_600_000)
    }
    expect(outcomes.map(({ taken }) => taken)).toEqual([0, 0, 1])
    await sdk.customers.create()
    receiver.closeAllConnections()
    await new Promise((resolve) => receiver.close(resolve))
    expect(await stripe.deliver()).toEqual({ taken: 0, failed: 1 })
  })

  test('a destination for thin events shows its secret once', async () => {
    const made = await sdk.v2.core.eventDestinations.create({
      name: 'meters',
      type: 'webhook_endpoint',
      event_payload: 'thin',
      enabled_events: ['v1.billing.meter.error_report_triggered'],
      webhook_endpoint: { url: 'https://tunnel.example.com/webhooks/stripe-thin' },
      include: ['webhook_endpoint.signing_secret'],
    })
    expect(made.webhook_endpoint?.signing_secret).toMatch(/^whsec_/)
    const found = await sdk.v2.core.eventDestinations.retrieve(made.id, { include: ['webhook_endpoint.url'] })
    expect(found.webhook_endpoint).toEqual({ url: 'https://tunnel.example.com/webhooks/stripe-thin' })
  })
})
