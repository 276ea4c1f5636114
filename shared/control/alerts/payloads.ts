/** What webhooks get: one body for each form, and the signature of Standard Webhooks (standardwebhooks.com). */
import { createHmac } from 'node:crypto'
import type { Alert } from '../../api/schemas/alerts.ts'
import type { Secret } from '../../base/secret.ts'
import { asName } from '../mail/layout.ts'
import type { WebhookFormat } from './webhook-documents.ts'

export type Told = {
  readonly account: string
  readonly news: string
  readonly alert: Omit<Alert, 'timeline'>
}

/** @param url of the console's list */
export function bodyOf(
  format: WebhookFormat,
  { told, at, url }: { readonly told: readonly Told[]; readonly at: number; readonly url: string },
): string {
  if (format === 'slack') return JSON.stringify(slackBody(told, url))
  const data = { items: told.map(({ account, news, alert }) => ({ account, news, ...alert })), url }
  return JSON.stringify({ type: 'alerts.changed', timestamp: new Date(at).toISOString(), data })
}

const signs = { begun: ':red_circle:', unsteady: ':large_orange_circle:', ended: ':large_green_circle:' }

function slackBody(told: readonly Told[], url: string) {
  const lines = told.map(({ news, alert: { title, name, cause } }) => {
    const sign = news in signs ? signs[news as keyof typeof signs] : ''
    const over = news === 'ended' ? 'Over: ' : ''
    const more = news === 'ended' ? '' : `\n${escapeSlack(cause)}`
    return `${sign} *${over}${escapeSlack(title)}*: ${escapeSlack(asName(name))}${more}`.trim()
  })
  const text = lines.join('\n\n')
  // `text` is what notifications show, and all that programs without blocks know.
  return {
    text,
    blocks: [
      { type: 'section', text: { type: 'mrkdwn', text: text.slice(0, 3_000) } },
      { type: 'context', elements: [{ type: 'mrkdwn', text: `<${url}|PortTunneler>` }] },
    ],
  }
}

/** Names come from strangers: what would begin a link or a mention is text. */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/**
 * The three headers of Standard Webhooks.
 * @param secrets `whsec_` and base64; each signs, so that a receiver may still have the one before
 */
export function signedHeaders(
  secrets: readonly Secret[],
  { id, at, body }: { readonly id: string; readonly at: number; readonly body: string },
): Readonly<Record<string, string>> {
  const seconds = `${Math.floor(at / 1_000)}`
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.reveal().replace(/^whsec_/, ''), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`
  })
  return {
    'content-type': 'application/json',
    'user-agent': 'PortTunneler-Webhooks/1',
    'webhook-id': id,
    'webhook-timestamp': seconds,
    'webhook-signature': signatures.join(' '),
  }
}
