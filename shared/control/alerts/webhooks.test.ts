/** Webhooks: what is sent, how it is signed, and what happens when nobody takes it. */
import { createHmac } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { fail } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import type { Caller } from '../caller.ts'
import type { PostPublic } from '../platform.ts'
import { bodyOf, signedHeaders, type Told } from './payloads.ts'
import { lookToRaise, lookToSettle } from './raising.ts'
import {
  addWebhook,
  changeWebhook,
  describeDelivery,
  listDeliveries,
  listWebhooks,
  replayDelivery,
  rotateWebhook,
  tryWebhook,
} from './webhooks.ts'

const hourMs = 3_600_000
type Sent = Parameters<PostPublic>[0]
let sent: Sent[]
let answer: () => { status: number; text: string }
let t: TestControl
let owner: Caller

beforeEach(async () => {
  sent = []
  answer = () => ({ status: 204, text: '' })
  t = makeTestControl({
    post: async (asked) => {
      sent.push(asked)
      return answer()
    },
  })
  owner = await t.caller()
})
afterEach(() => t.close())

const add = (url = 'https://hooks.example.com/alerts') => addWebhook(t.of(owner), owner, { url })
const deliveriesOf = async (id: string) =>
  (await listDeliveries(t.of(owner), owner, { id, limit: 50 })).items.map(describeDelivery)
async function raise(host: string): Promise<void> {
  const key = { account: owner.account, kind: 'domain.failing', subject: host } as const
  const trouble = { since: t.clock.now(), name: host, cause: 'Its record is gone.' }
  await t.control.store.transact(async (tx) => {
    const write = await lookToRaise(tx, key, { trouble, nowMs: t.clock.now() })
    write()
  })
}
async function pass(ms: number, stepMs = ms): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    t.clock.advance(stepMs)
    await t.runJobs()
  }
}

/** What a receiver does, by the words of the specification. */
function isSignedBy(secret: Secret, { headers, body }: Sent): boolean {
  const key = Buffer.from(secret.reveal().slice('whsec_'.length), 'base64')
  const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  const right = `v1,${createHmac('sha256', key).update(text).digest('base64')}`
  return (headers['webhook-signature'] ?? '').split(' ').includes(right)
}

test('the signature is that of the specification’s own example', () => {
  const secret = new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
  const headers = signedHeaders([secret], {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    at: 1_614_265_330_000,
    body: '{"test": 2432232314}',
  })
  expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

test('news of a minute is one signed delivery, and nothing is sent twice', async () => {
  const { webhook, secret } = await add()
  await raise('a.example.com')
  await raise('b.example.com')
  await pass(5 * 60_000, 30_000)
  expect(sent).toHaveLength(1)
  const [first] = sent
  if (!first) throw new Error('nothing was sent')
  expect(isSignedBy(secret, first)).toBe(true)
  const { type, data } = JSON.parse(first.body)
  expect(type).toBe('alerts.changed')
  expect(data.items.map((item: { name: string }) => item.name).sort()).toEqual([
    'a.example.com',
    'b.example.com',
  ])
  expect(first.body).not.toContain('timeline')
  expect(await deliveriesOf(webhook.ref.id)).toMatchObject([{ state: 'delivered', tries: 1, status: 204 }])
})

test('the end of an alert is sent too', async () => {
  await add()
  await raise('a.example.com')
  await pass(3 * 60_000, 60_000)
  const key = { account: owner.account, kind: 'domain.failing', subject: 'a.example.com' } as const
  await t.control.store.transact(async (tx) => {
    const write = await lookToSettle(tx, key, t.clock.now())
    write()
  })
  await pass(3 * 60_000, 60_000)
  expect(sent.map(({ body }) => JSON.parse(body).data.items[0].news)).toEqual(['begun', 'ended'])
})

test('a receiver that is down for an hour gets it once it is back', async () => {
  await add()
  answer = () => ({ status: 503, text: 'down' })
  await raise('a.example.com')
  await pass(hourMs, 60_000)
  const before = sent.length
  expect(before).toBeGreaterThan(2)
  answer = () => ({ status: 200, text: '' })
  await pass(2 * hourMs, 10 * 60_000)
  expect(sent.length).toBe(before + 1)
  expect(new Set(sent.map(({ headers }) => headers['webhook-id'])).size, 'one id for all tries').toBe(1)
})

test('after a day a delivery is dead; it can be sent again', async () => {
  const { webhook } = await add()
  answer = () => {
    throw fail('webhook.failed', 'Nothing listens at its address.')
  }
  await tryWebhook(t.of(owner), owner, webhook.ref.id)
  await pass(30 * hourMs, 15 * 60_000)
  const [dead] = await deliveriesOf(webhook.ref.id)
  expect(dead).toMatchObject({ state: 'dead', tries: 8, reason: 'Nothing listens at its address.' })
  answer = () => ({ status: 200, text: '' })
  await replayDelivery(t.of(owner), { webhook: webhook.ref.id, delivery: dead?.id ?? '' })
  await pass(60_000)
  expect(await deliveriesOf(webhook.ref.id)).toMatchObject([{ state: 'delivered' }])
})

test('one that takes nothing for five days is disabled, and its people are mailed', async () => {
  const { webhook } = await add()
  answer = () => ({ status: 500, text: 'broken' })
  for (let day = 0; day < 7; day++) {
    await tryWebhook(t.of(owner), owner, webhook.ref.id)
    await pass(24 * hourMs, hourMs)
  }
  const [found] = await listWebhooks(t.of(owner), owner)
  expect(found?.data.state).toBe('disabled')
  const mails = t.mails.map(({ subject }) => subject)
  expect(mails.filter((subject) => subject.includes('Webhook is disabled'))).toHaveLength(1)
  const count = sent.length
  await raise('a.example.com')
  await pass(hourMs, 60_000)
  expect(sent).toHaveLength(count)
  answer = () => ({ status: 200, text: '' })
  await changeWebhook(t.of(owner), owner, { id: webhook.ref.id, change: { on: true } })
  await tryWebhook(t.of(owner), owner, webhook.ref.id)
  await pass(60_000)
  expect(sent).toHaveLength(count + 1)
})

test('a new secret and the one before both sign for a day', async () => {
  const { webhook, secret: old } = await add()
  const { secret } = await rotateWebhook(t.of(owner), owner, webhook.ref.id)
  const one = async () => {
    await tryWebhook(t.of(owner), owner, webhook.ref.id)
    await pass(60_000)
    const last = sent.at(-1)
    if (!last) throw new Error('nothing was sent')
    return [isSignedBy(old, last), isSignedBy(secret, last)]
  }
  expect(await one()).toEqual([true, true])
  await pass(25 * hourMs)
  expect(await one()).toEqual([false, true])
  const kept = t.documents().filter(({ collection }) => collection === 'webhooks')
  expect(kept[0]?.body).not.toContain('whsec_')
})

describe('addresses', () => {
  test.each([
    'http://hooks.example.com/',
    'https://user:word@hooks.example.com/',
    'https://localhost/',
    'https://metadata/',
    'https://metadata.google.internal/computeMetadata/v1/',
    'https://127.0.0.1/',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://10.1.2.3/',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::1]/',
    'https://[::ffff:169.254.169.254]/',
    'https://[fd00:ec2::254]/',
    'https://printer.local/',
  ])('%s is refused', async (url) => {
    await expect(add(url)).rejects.toMatchObject({ key: 'webhook.address' })
  })

  test('five are room enough', async () => {
    for (let n = 0; n < 5; n++) await add(`https://hooks.example.com/${n}`)
    await expect(add()).rejects.toMatchObject({ key: 'webhook.limit' })
  })
})

test('what a name brings into a message for Slack is text', () => {
  const alert = {
    ...{ id: 'alr_1', kind: 'tunnel.down', title: 'Tunnel is down', subject: 'tun_1' },
    state: 'firing',
    ...{ name: '<!channel> *x*', unsteady: false, since: 0, last: 0, cause: 'a <b> & c' },
  } as const satisfies Told['alert']
  const body = bodyOf('slack', {
    told: [{ account: 'acc_1', news: 'begun', alert }],
    at: 0,
    url: 'https://x.example',
  })
  expect(JSON.parse(body).text).not.toMatch(/<!|<b>/)
  expect(JSON.parse(body).blocks).toHaveLength(2)
})
