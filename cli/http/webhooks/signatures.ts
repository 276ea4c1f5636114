/**
 * Checks the signatures of webhooks: the inspector marks requests by them (rules of PTUN_WEBHOOKS, where `ps` does not
 * show them), and the gate refuses those of a tunnel with `webhooks` (held-webhook.ts). Sources:
 * docs.stripe.com/webhooks/signature, docs.github.com (Validating webhook deliveries), api.slack.com (Verifying
 * requests).
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { SignatureVerdict } from '@porttunneler/shared/api/schemas/inspection'
import { fail } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'

export const webhookSchemes = ['stripe', 'github', 'slack', 'hmac'] as const

export type WebhookRule = {
  readonly scheme: (typeof webhookSchemes)[number]
  /** The path, or the beginning of it with `*` behind. */
  readonly path: string
  readonly secret: Secret
  /** For hmac: the header of the signature, in small letters. */
  readonly header: string
}

/** As Stripe and Slack advise. */
const toleranceMs = 5 * 60_000
const rulesMax = 50
export const signatureHeaderPattern = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

type Signed = {
  /** `header`: the value of a header; its name in small letters. */
  readonly headers: { header(name: string): string | undefined }
  readonly body: Buffer
  readonly nowMs: number
}
type Wanted = {
  readonly signatures: readonly string[]
  readonly text: readonly (string | Buffer)[]
  readonly atMs?: number
}

/**
 * One rule on each line: scheme, path, secret, with spaces between. `hmac:x-signature` names the header.
 * @throws cli.usage, without the secret
 */
export function readWebhookRules(text = ''): readonly WebhookRule[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  if (lines.length > rulesMax) throw fail('cli.usage', `PTUN_WEBHOOKS has more than ${rulesMax} lines.`)
  return lines.map((line, at) => {
    const [kind = '', path = '', secret = '', ...more] = line.trim().split(/\s+/)
    const [name, header = 'x-signature'] = kind.toLowerCase().split(':')
    const scheme = webhookSchemes.find((one) => one === name)
    const isWhole =
      path.startsWith('/') && secret !== '' && more.length === 0 && signatureHeaderPattern.test(header)
    if (scheme && isWhole) return { scheme, path, secret: new Secret(secret), header }
    throw fail(
      'cli.usage',
      `Line ${at + 1} of PTUN_WEBHOOKS is not like "stripe /hooks/stripe <secret>". ` +
        `It may begin with ${webhookSchemes.join(', ')} or hmac:<header>.`,
    )
  })
}

/** @param target path and query of the request */
export function ruleFor(rules: readonly WebhookRule[], target: string): WebhookRule | undefined {
  const path = target.split('?')[0] ?? ''
  return rules.find((rule) =>
    rule.path.endsWith('*') ? path.startsWith(rule.path.slice(0, -1)) : path === rule.path,
  )
}

export function verdictOf(
  { scheme, secret, header }: Omit<WebhookRule, 'path'>,
  signed: Signed,
): SignatureVerdict {
  const wanted = readers[scheme](signed, header)
  if (!wanted || wanted.signatures.length === 0) return 'missing'
  const hmac = createHmac('sha256', secret.reveal())
  for (const part of wanted.text) hmac.update(part)
  const digest = hmac.digest()
  if (!wanted.signatures.some((signature) => isDigest(signature, digest))) return 'wrong'
  const { atMs } = wanted
  return atMs !== undefined && Math.abs(signed.nowMs - atMs) > toleranceMs ? 'old' : 'valid'
}

const readers: Readonly<
  Record<WebhookRule['scheme'], (signed: Signed, header: string) => Wanted | undefined>
> = {
  stripe: ({ headers, body }) => {
    const parts = (headers.header('stripe-signature') ?? '').split(',').map((part) => part.trim().split('='))
    const time = parts.find(([name]) => name === 't')?.[1]
    const signatures = parts.flatMap(([name, value]) => (name === 'v1' && value ? [value] : []))
    return time === undefined ? undefined : { signatures, text: [`${time}.`, body], ...secondsOf(time) }
  },
  github: ({ headers, body }) => ({ signatures: plain(headers.header('x-hub-signature-256')), text: [body] }),
  slack: ({ headers, body }) => {
    const time = headers.header('x-slack-request-timestamp')
    const signatures = [headers.header('x-slack-signature')].flatMap((one) =>
      one?.startsWith('v0=') ? [one.slice(3)] : [],
    )
    return time === undefined ? undefined : { signatures, text: [`v0:${time}:`, body], ...secondsOf(time) }
  },
  hmac: ({ headers, body }, header) => ({ signatures: plain(headers.header(header)), text: [body] }),
}

/** A time that is none is one long ago. */
function secondsOf(text: string): { readonly atMs: number } {
  return { atMs: /^\d{1,12}$/.test(text) ? Number(text) * 1_000 : 0 }
}

function plain(value: string | undefined): readonly string[] {
  return value ? [value.replace(/^sha256=/i, '')] : []
}

/** In hexadecimal digits or base64, compared in the same time whatever was sent. */
function isDigest(signature: string, digest: Buffer): boolean {
  const coding = /^[0-9a-f]{64}$/i.test(signature) ? 'hex' : 'base64'
  const sent = Buffer.from(signature, coding)
  return sent.length === digest.length && timingSafeEqual(sent, digest)
}

/** The header without which a request has no signature; in small letters. */
export function signatureHeader({ scheme, header }: Pick<WebhookRule, 'scheme' | 'header'>): string {
  if (scheme === 'hmac') return header
  return { stripe: 'stripe-signature', github: 'x-hub-signature-256', slack: 'x-slack-signature' }[scheme]
}
