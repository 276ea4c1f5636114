/** A mail server on this machine that takes every mail and keeps it. */
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'

type Mail = { readonly to: readonly string[]; readonly subject: string; readonly text: string }

export async function startMailbox() {
  const mails: Mail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData: (stream, { envelope }, done) => {
      buffer(stream).then((bytes) => {
        mails.push({ to: envelope.rcptTo.map(({ address }) => address), ...read(bytes.toString()) })
        done()
      }, done)
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    /** @returns the text of the newest mail to the address with this in its subject */
    find: (to: string, subject: string): string | undefined =>
      mails.findLast((mail) => mail.to.includes(to) && mail.subject.includes(subject))?.text,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

/** Subject and plain text of a mail as nodemailer writes it (RFC 2045, section 6; RFC 2047). */
function read(raw: string): Omit<Mail, 'to'> {
  const unfolded = raw.replace(/\r\n[ \t]/g, ' ')
  const subject = /^Subject: (.*)$/m.exec(unfolded)?.[1]?.trim() ?? ''
  const [head = '', ...rest] = (raw.split(/^Content-Type: text\/html/m)[0] ?? '').split(
    /(?<=^Content-Type: text\/plain)/m,
  )
  const part = rest.join('') || head
  const [, encoding = ''] = /^Content-Transfer-Encoding: (\S+)/m.exec(part) ?? []
  const body = part.slice(part.indexOf('\r\n\r\n') + 4)
  return { subject: wordsOf(subject), text: decode(body, encoding) }
}

function wordsOf(header: string): string {
  const joined = header.replace(/\?=\s+=\?/g, '?==?')
  return joined.replace(/=\?utf-8\?([qb])\?([^?]*)\?=/gi, (_, kind: string, text: string) =>
    kind.toLowerCase() === 'b'
      ? decode(text, 'base64')
      : decode(text.replaceAll('_', ' '), 'quoted-printable'),
  )
}

function decode(text: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(text.split('\r\n--')[0] ?? '', 'base64').toString()
  if (encoding !== 'quoted-printable') return text
  const whole = text.replace(/=\r?\n/g, '')
  const bytes = whole.replace(/=([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString()
}
