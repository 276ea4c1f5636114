import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { selfSignedIdentity, type TlsIdentity } from '@porttunneler/relay-vm/certificate'
import { type Clock, systemClock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { openSmtpMail } from '@porttunneler/shared/mail/smtp'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

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
  const sockets = new Set<Socket>()

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
    server.server.on('connection', (socket: Socket) => sockets.add(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  }
  const cut = () => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  /** Ends the server at once, and whatever is connected to it. */
  const stop = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    cut()
    await closed
  }
  const open = (
    user = `mailer%40example.com:${encodeURIComponent(password)}`,
    host = '127.0.0.1',
    scheme = 'smtp',
    clock: Clock = systemClock,
  ) => {
    const { port } = server.server.address() as AddressInfo
    const smtp = new Secret(`${scheme}://${user}@${host}:${port}`)
    return openSmtpMail({ smtp, from: 'PortTunneler <no-reply@example.com>' }, clock)
  }
  beforeAll(async () => {
    tls = await selfSignedIdentity(folder, { names: ['localhost'], nowMs: systemClock.now() })
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  beforeEach(() => start())
  afterEach(async () => {
    refusal = undefined
    await stop()
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
    await stop()
    await expectFailure(mail.send(letter), 'mail.failed')
    await start()
    expect(received).toEqual([])
  })

  test('a server with TLS from the start is reached by TLS', async () => {
    await stop()
    await start({ secure: true })
    await open(undefined, '127.0.0.1', 'smtps').send(letter)
    expect(received).toHaveLength(1)
  })

  test('no mail goes unencrypted to another machine', async () => {
    await stop()
    await start({ disabledCommands: ['STARTTLS'], authOptional: true })
    // Another name of this machine, which the settings cannot recognise.
    await expectFailure(open(undefined, '0.0.0.0').send(letter), 'mail.failed')
    expect(received).toEqual([])
  })

  test('a reader gets text and HTML, and one click turns mails of the kind off', async () => {
    await open().send({ ...letter, html: '<p>Open this</p>', offUrl: 'https://x/v1/mails/off/domains.a' })
    const [{ text = '' } = {}] = received
    expect(text).toMatch(/^Content-Type: multipart\/alternative/m)
    expect(text).toContain('List-Unsubscribe: <https://x/v1/mails/off/domains.a>\r\n')
    expect(text).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n')
    expect(text).toContain('Auto-Submitted: auto-generated\r\n')
    await open().send(letter)
    expect(received[1]?.text).not.toContain('List-Unsubscribe')
  })

  /** What the server says of the recipient, and whether it is final. */
  test.each([
    [550, '5.1.1 no such user', 'mail.refused', '550 5.1.1'],
    [550, '5.1.10 null MX', 'mail.refused', '550 5.1.10'],
    [550, '5.2.1 mailbox disabled', 'mail.refused', '550 5.2.1'],
    // Its own settings, our sender's fault, a full mailbox, or no reason that a program could read.
    [550, '5.7.1 relaying denied', 'mail.failed', undefined],
    [550, '5.1.8 bad sender', 'mail.failed', undefined],
    [552, '5.2.2 mailbox full', 'mail.failed', undefined],
    [550, 'no such user', 'mail.failed', undefined],
    [450, '4.7.1 greylisted, try again in five minutes', 'mail.failed', undefined],
    [451, '4.1.1 not now', 'mail.failed', undefined],
  ] as const)('a recipient refused with %i %s: %s', async (responseCode, says, key, reply) => {
    refusal = Object.assign(new Error(says), { responseCode })
    const thrown = await open()
      .send(letter)
      .catch((error: unknown) => error)
    if (!isFailure(thrown)) throw thrown
    expect([thrown.key, thrown.fields.reply, received.length]).toEqual([key, reply, 0])
    // Neither the words of a stranger's server nor the address reach the log's text.
    expect(thrown.detail).not.toMatch(/try again|ada@/)
  })

  test('a server that refuses the sender or the mail itself says nothing about the address', async () => {
    await stop()
    const says = Object.assign(new Error('5.1.1 no such sender'), { responseCode: 550 })
    await start({ onMailFrom: (_address, _session, done) => done(says) })
    await expectFailure(open().send(letter), 'mail.failed')
    await stop()
    const onData: SMTPServerOptions['onData'] = (stream, _session, done) =>
      stream.resume().once('end', () => done(says))
    await start({ onData })
    await expectFailure(open().send(letter), 'mail.failed')
  })

  test('a server that cuts the connection in the middle, or never ends, fails the mail', async () => {
    await stop()
    await start({ onRcptTo: cut })
    await expectFailure(open().send(letter), 'mail.failed')
    await stop()
    const reached = Promise.withResolvers<void>()
    await start({ onData: (stream) => void stream.resume().once('end', reached.resolve) })
    const clock = new FakeClock()
    const sent = open(undefined, undefined, undefined, clock).send(letter)
    const failed = expectFailure(sent, 'mail.failed')
    await reached.promise
    clock.advance(60_000)
    await failed
  })

  test('an address in another script goes to nobody else, its domain as ASCII', async () => {
    await open().send({ ...letter, to: 'ada@bücher.example' })
    expect(received.map(({ to }) => to)).toEqual([['ada@bücher.example']])
    expect(received[0]?.text).toContain('To: ada@xn--bcher-kva.example')
    await stop()
    await start({ hideSMTPUTF8: true })
    await open()
      .send({ ...letter, to: 'пользователь@example.com' })
      .catch(() => undefined)
    for (const { to } of received) expect(to).toEqual(['пользователь@example.com'])
  })

  test('a long subject in another script arrives as one header', async () => {
    await open().send({ ...letter, subject: `${'ж'.repeat(300)}\u0000\u2028Bcc: eve@example.com` })
    expect(received[0]?.to).toEqual(['ada@example.com'])
    expect(received[0]?.text).not.toMatch(/^Bcc:/m)
  })
})
