import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { ok, openGate } from '../../testing/gate-rig.ts'
import { webhookCheckOf } from '../../webhook-options.ts'
import { webhookBytesMax } from './held-webhook.ts'

const secret = 'whsec_test'
const body = '{"type":"ping"}'
const hmac = (text: string) => createHmac('sha256', secret).update(text).digest('hex')
const github = (text = body) => `X-Hub-Signature-256: sha256=${hmac(text)}\r\n`
const post = (fields: string, text = body) =>
  `POST /hook HTTP/1.1\r\nHost: a.test\r\n${fields}Content-Length: ${text.length}\r\n\r\n${text}`
const open = (verify: 'github' | 'stripe' = 'github') =>
  openGate({ logins: [], webhooks: webhookCheckOf({ verify, secret }, secret) })
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

test('what visitors have kept together is bounded, and free again when they leave', () => {
  const part = post(github(), 'x'.repeat(webhookBytesMax)).slice(0, -1)
  const gates = Array.from({ length: 64 }, () => open())
  for (const { ask } of gates) ask(part)
  const last = open()
  last.ask(part)
  expect(last.passed()).toBe('<refused webhook.busy>')
  for (const { gate } of gates) gate.close()
  const next = open()
  next.ask(post(github()))
  expect(next.passed()).toBe(post(github()))
})
