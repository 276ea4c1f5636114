/**
 * Sends mail by an SMTP server, which queues and retries towards the recipient, and signs it (DKIM). Credentials and
 * mails go only over TLS (from the start, or by STARTTLS), unless the server is this very machine.
 */
import { createTransport } from 'nodemailer'
import { type Clock, systemClock } from '../base/clock.ts'
import { fail, type PortTunnelerError } from '../base/errors.ts'
import { sayNetworkError } from '../base/system-errors.ts'
import type { Mail } from '../control/platform.ts'
import type { SmtpSettings } from './settings.ts'

const connectMs = 10_000
/** Between two answers of the server. */
const silenceMs = 20_000
/** Shorter than a job's lease: else a server that sends a byte now and then has one mail tried twice at once. */
const sendMs = 45_000

/**
 * Each mail has a connection of its own: a function sleeps between two, and a server closes what is idle.
 * @throws from every call of `send`: mail.failed, mail.refused
 */
export function openSmtpMail({ smtp, from }: SmtpSettings, clock: Clock = systemClock): Mail {
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
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: silenceMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send({ to, subject, text, html, id, offUrl }) {
      const message = {
        from,
        // As one address, never as a list: a comma in it must not reach a second person.
        to: { name: '', address: to },
        subject,
        text,
        ...(html !== undefined && { html }),
        messageId: messageIdOf(id, from),
        headers: headersOf(offUrl),
      }
      try {
        await within(clock, transport.sendMail(message))
      } catch (cause) {
        throw failureOf(cause, hostname)
      }
    },
  }
}

function within<T>(clock: Clock, done: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(sendMs, () => reject(new Error(`it was not done within ${sendMs / 1_000} s`)))
    void done.then(resolve, reject).finally(() => timer.clear())
  })
}

/** Nobody's holiday reply comes back to us (RFC 3834), and one click turns the mails off (RFC 8058). */
function headersOf(offUrl: string | undefined): Record<string, string> {
  return {
    'Auto-Submitted': 'auto-generated',
    ...(offUrl !== undefined && {
      'List-Unsubscribe': `<${offUrl}>`,
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
    }),
  }
}

/** RFC 3463 and RFC 7505: the address is not one, nobody has it, its domain takes no mail, or it is disabled. */
const noSuchAddress = /^5\d\d[ -]((?:5\.1\.(?:1|2|3|6|10))|5\.2\.1)\b/

/**
 * A refusal of the recipient counts as final only with a code that says so. Servers refuse in the same place, with the
 * same three digits, what they do not relay or take for spam: with wrong settings every address would look like one
 * that nobody has.
 */
function failureOf(cause: unknown, hostname: string): PortTunnelerError {
  const { command, response = '' } = cause as { readonly command?: string; readonly response?: string }
  const [, code] = noSuchAddress.exec(response) ?? []
  if (command === 'RCPT TO' && code !== undefined) {
    const reply = `${response.slice(0, 3)} ${code}`
    return fail('mail.refused', `${hostname} says that nobody has the address (${reply})`, {
      cause,
      fields: { reply },
    })
  }
  return fail('mail.failed', `${hostname} did not take it${sayCause(cause)}`, { cause })
}

/** The library has codes of its own, and keeps those of the system in the message. */
function sayCause(cause: unknown): string {
  const { code, message, responseCode } = cause as Error & {
    readonly code?: string
    readonly responseCode?: number
  }
  if (code === 'EAUTH') return ' (EAUTH): it refuses the user or the password of `mail.smtp`'
  const inner = /\bE[A-Z_]{3,}\b/.exec(message)?.[0]
  const known = sayNetworkError(Object.assign(new Error(message), { code: inner ?? code }))
  if (known) return known
  // An error of the socket or of TLS: the text is not the server's.
  if (code === 'ESOCKET') return ` (${message})`
  return ` (${[code ?? 'no answer', responseCode].filter((part) => part !== undefined).join(', ')})`
}

/** RFC 5322, section 3.6.4: what is on its left must be a dot-atom. */
function messageIdOf(id: string, from: string): string {
  const domain = /@([\w.-]+)/.exec(from)?.[1] ?? 'localhost'
  return `<${id.replace(/[^A-Za-z0-9-]+/g, '.')}@${domain}>`
}

function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
