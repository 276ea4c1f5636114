/**
 * Sends mail by an SMTP server, which queues and retries towards the recipient. Credentials and mails go only over TLS
 * (from the start, or by STARTTLS), unless the server is this very machine.
 */

import { fail } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import { sayNetworkError } from '@porttunneler/shared/base/system-errors'
import type { Mail } from '@porttunneler/shared/control/platform'
import { createTransport } from 'nodemailer'

export type SmtpSettings = {
  /** `smtps://user:password@host:465`, or `smtp:` with STARTTLS. */
  readonly smtp: Secret
  /** The sender's address. */
  readonly from: string
}
export type SmtpMail = Mail & { close(): void }

const connectMs = 10_000
/** Between two answers of the server. */
const silenceMs = 20_000

export function openSmtpMail({ smtp, from }: SmtpSettings): SmtpMail {
  const { protocol, hostname, port, username, password } = new URL(smtp.reveal())
  const isSecure = protocol === 'smtps:'
  const transport = createTransport({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (isSecure ? 465 : 587),
    secure: isSecure,
    requireTLS: !isSecure && !isThisMachine(hostname),
    // A self-signed certificate on this machine is fine; elsewhere it is an attack.
    tls: { rejectUnauthorized: !isThisMachine(hostname) },
    ...(username !== '' && {
      auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
    }),
    pool: true,
    maxConnections: 2,
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: silenceMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send({ to, subject, text, id }) {
      try {
        // As one address, never as a list: a comma in it must not reach a second person.
        await transport.sendMail({
          from,
          to: { name: '', address: to },
          subject,
          text,
          messageId: messageIdOf(id, from),
        })
      } catch (cause) {
        throw fail('mail.failed', `${hostname} did not take it${sayCause(cause)}`, { cause })
      }
    },
    close: () => transport.close(),
  }
}

/** The library has codes of its own, and keeps those of the system in the message. */
function sayCause(cause: unknown): string {
  const { code, message } = cause as Error & { readonly code?: string }
  if (code === 'EAUTH') return ' (EAUTH): it refuses the user or the password of `mail.smtp`'
  const inner = /\bE[A-Z_]{3,}\b/.exec(message)?.[0]
  const known = sayNetworkError(Object.assign(new Error(message), { code: inner ?? code }))
  // An error of the socket or of TLS: the text is not the server's.
  return known || ` (${code === 'ESOCKET' ? message : (code ?? 'no answer')})`
}

/** RFC 5322, section 3.6.4: what is on its left must be a dot-atom. */
function messageIdOf(id: string, from: string): string {
  const domain = /@([\w.-]+)/.exec(from)?.[1] ?? 'localhost'
  return `<${id.replace(/[^A-Za-z0-9-]+/g, '.')}@${domain}>`
}

function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
