import { createHmac } from 'node:crypto'
import { limits } from '@porttunneler/shared/protocol/limits'
import { expect, test } from 'vitest'
import { ok, openGate } from '../../testing/gate-rig.ts'
import { type WebhookOptions, webhookCheckOf } from '../../webhook-options.ts'
import { HeldRoom } from './held-room.ts'
import { webhookBytesMax } from './held-webhook.ts'

const secret = 'whsec_test'
const body = '{"type":"ping"}'
const hmac = (text: string) => createHmac('sha256', secret).update(text).digest('hex')
const github = (text = body) => `X-Hub-Signature-256: sha256=${hmac(text)}\r\n`
const post = (fields: string, text = body) =>
  `POST /hook HTTP/1.1\r\nHost: a.test\r\n${fields}Content-Length: ${text.length}\r\n\r\n${text}`
const open = (verify: 'github' | 'stripe' = 'github', place?: Parameters<typeof openGate>[1]) =>
  openGate({ logins: [], webhooks: webhookCheckOf({ verify, secret }, secret) }, place)
/** All but the last byte of the longest one. */
const unfinished = post(github(), 'x'.repeat(webhookBytesMax)).slice(0, -1)

type Vector = {
  readonly fields: readonly string[]
  readonly secret: string
  readonly body: string
  /** When it arrives, in ms. */
  readonly at?: number
}
/**
 * Made by others: the examples of docs.github.com (Validating webhook deliveries) and api.slack.com (Verifying requests
 * from Slack), generateTestHeaderString of stripe 23.1.0, and `openssl dgst -sha256 -hmac my-secret -binary | base64`.
 */
const slackBody = [
  'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V',
  'channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=',
  'response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN',
  'trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
].join('&')
const vectors: readonly [WebhookOptions['verify'], Vector][] = [
  [
    'github',
    {
      fields: [
        'X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
      ],
      secret: "It's a Secret to Everybody",
      body: 'Hello, World!',
    },
  ],
  [
    'slack',
    {
      fields: [
        'X-Slack-Signature: v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
        'X-Slack-Request-Timestamp: 1531420618',
      ],
      secret: '8f742231b10e8888abcd99yyyzzz85a5',
      body: slackBody,
      at: 1_531_420_618_000,
    },
  ],
  [
    'stripe',
    {
      fields: [
        'Stripe-Signature: t=1767225600,v1=1a91b0e0856e54236c5abf6b29dae56fda718fb92b060c3bed71d845556eca90',
      ],
      secret: 'whsec_test_secret',
      body: '{"id":"evt_1","object":"event","type":"invoice.paid"}',
      at: 1_767_225_600_000,
    },
  ],
  [
    'hmac',
    {
      fields: ['X-Mine: ZGDidRxCrbJpAJNvlvtAAjZt5eqdZ9ONLMeJyKdOqPg='],
      secret: 'my-secret',
      body: '{"type":"ping"}',
    },
  ],
]
const refusal = (verify: 'github' | 'stripe', request: string) => {
  const { ask, passed, said } = open(verify)
  ask(request)
  expect(said()).toMatch(/^HTTP\/1\.1 4(?:01|13) .*<end>$/s)
  return passed()
}

test('a signed webhook passes unchanged when it is whole, in any pieces, pipelined and chunked', () => {
  const chunked = `POST / HTTP/1.1\r\nHost: a.test\r\n${github()}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\n${body.slice(0, 5)}\r\na\r\n${body.slice(5)}\r\n0\r\nA: b\r\n\r\n`
  const empty = post(github(''), '')
  const all = post(github()) + chunked + empty
  for (const size of [1, 7, all.length]) {
    const { ask, passed } = open()
    let got = ''
    for (let at = 0; at < all.length; at += size) {
      ask(all.slice(at, at + size))
      const now = passed()
      if (at + size < post(github()).length) expect(now).toBe('')
      got += now
    }
    expect(got).toBe(all)
  }
})

test('wrong, missing, doubled, cut and upgrading ones are refused, and nothing of them passes', () => {
  expect(refusal('github', post(github('other')))).toBe('<refused webhook.signature>')
  expect(refusal('github', post(''))).toBe('<refused webhook.unsigned>')
  expect(refusal('github', post(github() + github()))).toBe('<refused webhook.unsigned>')
  const upgrade = `GET / HTTP/1.1\r\nHost: a.test\r\n${github('')}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
  expect(refusal('github', upgrade)).toBe('<refused webhook.unsigned>')
  const { ask, gate, passed } = open()
  ask(post(github()).slice(0, -1))
  gate.onFin()
  expect(passed()).toBe('<refused webhook.signature>')
})

test('five minutes after its time a signature is refused', () => {
  for (const [after, wanted] of [
    [300, /^POST/],
    [301, /^<refused webhook.late>$/],
  ] as const) {
    const { ask, clock, passed } = open('stripe')
    const at = Math.floor(clock.now() / 1_000) - after
    ask(post(`Stripe-Signature: t=${at},v1=${hmac(`${at}.${body}`)}\r\n`))
    expect(passed()).toMatch(wanted)
  }
})

test('too large: refused by its length at once, chunked when it is there; 1 MiB passes and gets its credit', () => {
  const large = 'x'.repeat(webhookBytesMax)
  const head = post(github(), `${large}x`).split('\r\n\r\n')[0]
  expect(refusal('github', `${head}\r\n\r\n`)).toBe('<refused webhook.too_large>')
  const chunked = `POST / HTTP/1.1\r\nHost: a.test\r\n${github()}Transfer-Encoding: chunked\r\n\r\n100001\r\n${large}`
  expect(refusal('github', chunked)).toBe('<refused webhook.too_large>')
  const { ask, passed, consumed } = open()
  const request = post(github(large), large)
  ask(request.slice(0, -1))
  // Otherwise a body longer than the window would never be whole.
  expect(consumed()).toBe(request.length - 1)
  ask('x')
  expect(passed() === request).toBe(true)
})

test('a refusal follows the answers to earlier webhooks, and a waiting sender is told to go on', () => {
  const { ask, answer, passed, said } = open()
  ask(post(github()) + post(github('other')))
  expect([passed(), said()]).toEqual([post(github()), ''])
  answer(ok)
  expect(said()).toMatch(/hiHTTP\/1\.1 401 .*PT-6101.*<end>$/s)
  const waiting = open()
  const [head, text = ''] = post(`${github()}Expect: 100-continue\r\n`).split('\r\n\r\n')
  waiting.ask(`${head}\r\n\r\n`)
  expect(waiting.said()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  waiting.ask(text)
  expect(waiting.passed()).toBe(post(github()))
})

test('all unfinished webhooks together are bounded, and leaving makes room', () => {
  const room = new HeldRoom(4 * webhookBytesMax)
  const gates = ['a', 'b', 'c', 'd'].map((one) => open('github', { room, path: ['1', one] }))
  for (const { ask } of gates) ask(unfinished)
  expect(room.bytes).toBe(4 * webhookBytesMax)
  // Nobody has more than this one wants.
  const last = open('github', { room, path: ['1', 'd'] })
  last.ask(unfinished)
  expect(last.passed()).toBe('<refused webhook.busy>')
  expect(last.said()).toMatch(/^HTTP\/1\.1 503 .*Retry-After: 10\r\n.*<end>$/s)
  for (const { gate } of gates) gate.close()
  expect(room.bytes).toBe(0)
  const next = open('github', { room })
  next.ask(post(github()))
  expect(next.passed()).toBe(post(github()))
  expect(room.bytes).toBe(0)
})

test.each([
  ['a visitor', ['1', '192.0.2.0/24', '192.0.2.1'], ['1', '192.0.2.0/24', '192.0.2.2']],
  ['a network', ['1', '192.0.2.0/24'], ['1', '198.51.100.0/24', '198.51.100.1']],
  ['a tunnel', ['1'], ['2', '192.0.2.0/24', '192.0.2.1']],
])('%s with all of the room makes way for another, as far as both have the same', (what, greedy, other) => {
  const room = new HeldRoom(4 * webhookBytesMax)
  const pathOf = (n: number) => [...greedy, ...Array.from({ length: 3 - greedy.length }, () => `${n}`)]
  const gates = Array.from({ length: 4 }, (_, n) => open('github', { room, path: pathOf(n) }))
  for (const { ask } of gates) ask(unfinished)
  const small = open('github', { room, path: other })
  small.ask(post(github()))
  expect(small.passed()).toBe(post(github()))
  // The last to come gives way, is told so, and can come again.
  expect(gates.map(({ passed }) => passed())).toEqual(['', '', '', '<refused webhook.busy>'])
  expect(gates[3]?.said()).toMatch(/^HTTP\/1\.1 503 .*PT-6104.*<end>$/s)
  const large = Array.from({ length: 4 }, () => open('github', { room, path: other }))
  for (const { ask } of large) ask(unfinished)
  const kept = [...gates.slice(0, 3), ...large].map(({ passed }) => passed() === '')
  expect(kept, what).toEqual([true, true, false, true, true, false, false])
  expect(room.bytes).toBe(4 * webhookBytesMax)
})

test('who yields behind an earlier answer is told in its turn', () => {
  const room = new HeldRoom(webhookBytesMax)
  const first = open('github', { room, path: ['1'] })
  first.ask(post(github()) + unfinished)
  expect(first.passed()).toBe(post(github()))
  const other = open('github', { room, path: ['2'] })
  other.ask(post(github()))
  expect([other.passed(), first.said()]).toEqual([post(github()), ''])
  first.answer(ok)
  expect(first.said()).toMatch(/hiHTTP\/1\.1 503 .*PT-6104.*<end>$/s)
})

test('a sender that stops in the middle is answered by its deadline where TLS ends here, and its room is free', () => {
  const room = new HeldRoom()
  const { ask, clock, passed, said } = open('github', { room, hostOfTls: 'a.test' })
  ask(unfinished.slice(0, -1_000))
  expect(room.bytes).toBeGreaterThan(0)
  clock.advance(2 * limits.httpIdleMs)
  expect(passed()).toMatch(/^<refused http\.body_deadline>/)
  expect(said()).toMatch(/^HTTP\/1\.1 408 .*<end>/s)
  expect(room.bytes).toBe(0)
})

test.each(vectors)('%s as its sender documents it: passes, and not with another body', (verify, made) => {
  const { fields, secret: theirs, body: text, at = Date.UTC(2026, 0, 1) } = made
  for (const [sent, wanted] of [
    [text, /^POST /],
    [`${text} `, /^<refused webhook\.signature>$/],
  ] as const) {
    const webhooks = webhookCheckOf({ verify, ...(verify === 'hmac' && { header: 'x-mine' }) }, theirs)
    const { ask, clock, passed } = openGate({ logins: [], webhooks })
    clock.jump(at - clock.now())
    ask(post(fields.map((field) => `${field}\r\n`).join(''), sent))
    expect(passed()).toMatch(wanted)
  }
})
