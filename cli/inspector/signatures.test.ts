import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { readWebhookRules, ruleFor, verdictOf } from '../http/webhooks/signatures.ts'
import { post, useInspectorRigs } from '../testing/inspector-rig.ts'
import { Message } from './entry.ts'

const open = useInspectorRigs()
const secret = 'whsec_test'
const body = '{"type":"ping"}'
const nowMs = 1_700_000_000_000
const seconds = nowMs / 1_000
const hmac = (text: string, coding: 'hex' | 'base64' = 'hex') =>
  createHmac('sha256', secret).update(text).digest(coding)

/** Signed as each service does it. */
const good = {
  stripe: [['Stripe-Signature', `t=${seconds},v1=${'0'.repeat(64)},v1=${hmac(`${seconds}.${body}`)},v0=x`]],
  github: [['X-Hub-Signature-256', `sha256=${hmac(body)}`]],
  slack: [
    ['X-Slack-Request-Timestamp', String(seconds)],
    ['X-Slack-Signature', `v0=${hmac(`v0:${seconds}:${body}`)}`],
  ],
  hmac: [['X-Mine', hmac(body, 'base64')]],
} as const
const kinds = { stripe: 'stripe', github: 'github', slack: 'slack', hmac: 'hmac:X-Mine' } as const
const names = Object.keys(good) as (keyof typeof good)[]

function check(
  name: keyof typeof good,
  change: { headers?: readonly (readonly [string, string])[]; body?: string; at?: number } = {},
) {
  const [rule] = readWebhookRules(`${kinds[name]} /hook ${secret}`)
  if (!rule) throw new Error('no rule')
  const headers = new Message(change.headers ?? good[name])
  return verdictOf(rule, { headers, body: Buffer.from(change.body ?? body), nowMs: change.at ?? nowMs })
}

describe('signatures of webhooks', () => {
  test.each(names)('%s: the right one is valid, another body or secret is wrong, none is missing', (name) => {
    expect(check(name)).toBe('valid')
    expect(check(name, { body: `${body} ` })).toBe('wrong')
    expect(check(name, { headers: [] })).toBe('missing')
    const [other] = readWebhookRules(`${kinds[name]} /hook another`)
    if (!other) throw new Error('no rule')
    expect(verdictOf(other, { headers: new Message(good[name]), body: Buffer.from(body), nowMs })).toBe(
      'wrong',
    )
  })

  test.each(['stripe', 'slack'] as const)(
    '%s: after five minutes it is old, and a time of the future too',
    (name) => {
      expect(check(name, { at: nowMs + 300_000 })).toBe('valid')
      expect(check(name, { at: nowMs + 300_001 })).toBe('old')
      expect(check(name, { at: nowMs - 300_001 })).toBe('old')
    },
  )

  test('what is no signature is wrong or missing, and never an error', () => {
    for (const value of ['', '=', 't=1', 'v1=', 't=,v1=x', 't=1,v1=zz', 'a'.repeat(10_000), 'sha256=', 'v0='])
      for (const name of names)
        expect(['wrong', 'missing']).toContain(
          check(name, { headers: good[name].map(([header]) => [header, value] as const) }),
        )
  })

  test('rules are read from lines, and a bad line is named without its secret', () => {
    const rules = readWebhookRules('stripe /hooks/stripe a\n\n  github /hooks/* b \nhmac:X-Sig /x c')
    expect(rules.map(({ scheme, path }) => [scheme, path])).toEqual([
      ['stripe', '/hooks/stripe'],
      ['github', '/hooks/*'],
      ['hmac', '/x'],
    ])
    expect(JSON.stringify(rules)).not.toContain('"a"')
    expect(ruleFor(rules, '/hooks/stripe?x=1')?.scheme).toBe('stripe')
    expect(ruleFor(rules, '/hooks/other')?.scheme).toBe('github')
    expect(ruleFor(rules, '/hook')).toBeUndefined()
    for (const line of [
      'stripe /x',
      'paypal /x topsecret',
      'stripe x topsecret',
      'hmac:a(b /x topsecret',
      'github /x topsecret more',
    ]) {
      expect(() => readWebhookRules(line)).toThrow(/Line 1 of PTUN_WEBHOOKS/)
      expect(() => readWebhookRules(line)).not.toThrow(/topsecret/)
    }
  })

  test('mark requests as they pass, and refuse none', async () => {
    const { ask, inspector } = await open(
      (_request, response) => response.end('ok'),
      {},
      undefined,
      `github /hook* ${secret}`,
    )
    const signed = await ask(post('/hook', body, `X-Hub-Signature-256: sha256=${hmac(body)}\r\n`))
    const forged = await ask(post('/hook', body, `X-Hub-Signature-256: sha256=${hmac('other')}\r\n`))
    const other = await ask(post('/other', body))
    await expect
      .poll(() => inspector.entry(forged.id).signature, { timeout: 5_000, interval: 2 })
      .toBe('wrong')
    expect(inspector.entry(signed.id).signature).toBe('valid')
    expect(other.signature).toBeUndefined()
    expect([signed.status, forged.status]).toEqual([200, 200])
  })
})
