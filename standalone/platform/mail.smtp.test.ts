import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { selfSignedIdentity, type TlsIdentity } from '@porttunneler/relay-vm/certificate'
import { systemClock } from '@porttunneler/shared/base/clock'
import { Secret } from '@porttunneler/shared/base/secret'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openSmtpMail, type SmtpMail } from './mail.smtp.ts'

const password = 'p@ss/word:1'
const letter = {
  to: 'ada@example.com',
  subject: 'A new password',
  text: 'Open this link:\nhttps://x/?t=1',
  id: 'mail.send:1b9d6bcd:1',
}
type Received = { readonly from: string; readonly to: readonly string[]; readonly text: string }

describe('mail by SMTP', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-smtp-'))
  let tls: TlsIdentity
  let server: SMTPServer
  let received: Received[]
  let refusal: Error | undefined
  const opened: SmtpMail[] = []

  const start = async (changes: SMTPServerOptions = {}) => {
    received = []
    server = new SMTPServer({
      cert: tls.certificate,
      key: tls.key.reveal(),
      onAuth: ({ username, password: given }, _session, done) =>
        username === 'mailer@example.com' && given === password
          ? done(null, { user: username })
          : done(new Error('no')),
      onRcptTo: (_address, _session, done) => done(refusal),
      onData: (stream, { envelope }, done) => {
        const chunks: Buffer[] = []
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.once('end', () => {
          const { mailFrom, rcptTo } = envelope
          const from = mailFrom ? mailFrom.address : ''
          received.push({
            from,
            to: rcptTo.map(({ address }) => address),
            text: Buffer.concat(chunks).toString(),
          })
          done()
        })
      },
      ...changes,
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  }
  const open = (
    user = `mailer%40example.com:${encodeURIComponent(password)}`,
    host = '127.0.0.1',
    scheme = 'smtp',
  ) => {
    const { port } = server.server.address() as AddressInfo
    const smtp = new Secret(`${scheme}://${user}@${host}:${port}`)
    const mail = openSmtpMail({ smtp, from: 'PortTunneler <no-reply@example.com>' })
    opened.push(mail)
    return mail
  }
  beforeAll(async () => {
    tls = await selfSignedIdentity(folder, { names: ['localhost'], nowMs: systemClock.now() })
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  beforeEach(() => start())
  afterEach(async () => {
    for (const mail of opened.splice(0)) mail.close()
    refusal = undefined
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })

  test('a mail arrives as it was written, from the configured address', async () => {
    await open().send(letter)
    expect(received).toMatchObject([{ from: 'no-reply@example.com', to: ['ada@example.com'] }])
    expect(received[0]?.text).toContain('From: PortTunneler <no-reply@example.com>')
    expect(received[0]?.text).toContain('Subject: A new password')
    expect(received[0]?.text).toContain('Message-ID: <mail.send.1b9d6bcd.1@example.com>')
    expect(received[0]?.text).toContain('Open this link:\r\nhttps://x/?t=1')
  })

  test('an address never becomes two, and a line break in a subject never makes another header', async () => {
    const mail = open()
    await mail.send({ ...letter, subject: 'Hello\r\nBcc: eve@example.com' })
    expect(received[0]?.to).toEqual(['ada@example.com'])
    expect(received[0]?.text).not.toMatch(/^Bcc:/m)
    await mail.send({ ...letter, to: 'ada@example.com, eve@example.com' }).catch(() => undefined)
    for (const { to } of received) expect(to).not.toContain('eve@example.com')
  })

  test('a wrong password, a refused recipient and an absent server fail as mails not sent', async () => {
    await expectFailure(open('mailer%40example.com:wrong').send(letter), 'mail.failed')
    refusal = new Error('no such person')
    await expectFailure(open().send(letter), 'mail.failed')
    const mail = open()
    await new Promise<void>((resolve) => server.close(() => resolve()))
    await expectFailure(mail.send(letter), 'mail.failed')
    await start()
    expect(received).toEqual([])
  })

  test('a server with TLS from the start is reached by TLS', async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()))
    await start({ secure: true })
    await open(undefined, '127.0.0.1', 'smtps').send(letter)
    expect(received).toHaveLength(1)
  })

  test('no mail goes unencrypted to another machine', async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()))
    await start({ disabledCommands: ['STARTTLS'], authOptional: true })
    // Another name of this machine, which the settings cannot recognise.
    await expectFailure(open(undefined, '0.0.0.0').send(letter), 'mail.failed')
    expect(received).toEqual([])
  })
})
