/** Tunnels whose requests the agent checks, from a visitor's stream to the upstream and back. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lease } from '@porttunneler/shared/api/schemas/tunnels'
import { type Clock, systemClock } from '@porttunneler/shared/base/clock'
import { wireCode } from '@porttunneler/shared/base/errors'
import { Turn } from '@porttunneler/shared/mux/turn'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { anyVisitor, muxPair, Recorder } from '@porttunneler/shared/testing/mux-pair'
import { afterEach, describe, expect, test } from 'vitest'
import { loginOf } from '../http/stages/logins.ts'
import { webhookBytesMax } from '../http/webhooks/held-webhook.ts'
import { webhookCheckOf } from '../webhook-options.ts'
import type { AgentEvent } from './events.ts'
import { newTunnel, type WantedTunnel } from './tunnels.ts'
import { VisitorDesk } from './visitor-desk.ts'

const servers = new Set<Server>()
const folder = mkdtempSync(join(tmpdir(), 'ptun-requests-'))
afterEach(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  servers.clear()
  rmSync(folder, { recursive: true, force: true })
})

const password = `Authorization: Basic ${Buffer.from('alice:x').toString('base64')}\r\n`
const logins = [loginOf('alice:x')]
const get = (fields = '') => `GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`

/** Sends everything it reads back, the first time after `head`. */
async function echo(head = ''): Promise<{ port: number; sockets: Socket[]; read: () => string }> {
  const sockets: Socket[] = []
  const chunks: Buffer[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      if (chunks.push(chunk) === 1) socket.write(head)
      socket.write(chunk)
    })
    socket.on('end', () => socket.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  servers.add(server)
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    read: () => Buffer.concat(chunks).toString('latin1'),
  }
}

class Visitor extends Recorder {
  openedMs: number | undefined

  onOpened(connectMs: number): void {
    this.openedMs = connectMs
    this.onChange()
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }
}

function openDesk(
  wanted: Partial<WantedTunnel> & Pick<WantedTunnel, 'upstream'>,
  clock: Clock = systemClock,
) {
  const events: AgentEvent[] = []
  const idle: (() => void)[] = []
  const tunnel = newTunnel(1, { name: 'web', kind: 'http', ...wanted })
  const desk = new VisitorDesk({
    clock,
    turn: new Turn(),
    emit: (event) => events.push(event),
    onIdle: () => idle.shift()?.(),
  })
  const pair = muxPair({
    clock: systemClock,
    agent: { onOpen: (stream, info) => desk.accept(stream, info, tunnel) },
  })
  const visit = () => {
    const visitor = new Visitor()
    visitor.stream = pair.relay.open(anyVisitor, visitor)
    return visitor
  }
  /** Resolves when the last visitor has left; at once if there is none. */
  const empty = () => (desk.active === 0 ? undefined : new Promise<void>((resolve) => idle.push(resolve)))
  return { desk, tunnel, events, visit, empty }
}

describe('requests that the agent checks', () => {
  test('a stranger does not reach the upstream, not even by a connection', async () => {
    const upstream = await echo()
    const desk = openDesk({ upstream: { host: '127.0.0.1', port: upstream.port }, requests: { logins } })
    const stranger = desk.visit()
    stranger.stream?.write(Buffer.from(get()))
    await stranger.until(() => stranger.hasFin)
    expect(stranger.text).toMatch(/^HTTP\/1\.1 401 /)
    stranger.stream?.end()
    await stranger.until(() => stranger.isClosed)
    await desk.empty()
    expect(desk.events).toEqual([expect.objectContaining({ event: 'connection.closed', code: 'PT-6053' })])
    // A later one has come and gone, so the first would have been seen by now.
    const guest = desk.visit()
    guest.stream?.write(Buffer.from(get(password)))
    await guest.until(() => guest.text.length > 0)
    expect(upstream.sockets).toHaveLength(1)
    expect(upstream.read()).toBe(get())
    desk.desk.close()
  })

  test('a signed webhook longer than the window arrives whole; a forged one makes no connection', async () => {
    const upstream = await echo()
    const requests = { logins: [], webhooks: webhookCheckOf({ verify: 'github' }, 'secret') }
    const desk = openDesk({ upstream: { host: '127.0.0.1', port: upstream.port }, requests })
    const body = 'x'.repeat(webhookBytesMax)
    const signature = createHmac('sha256', 'secret').update(body).digest('hex')
    const post = (text: string) =>
      `POST / HTTP/1.1\r\nHost: a.test\r\nX-Hub-Signature-256: sha256=${signature}\r\nContent-Length: ${text.length}\r\n\r\n${text}`
    const forger = desk.visit()
    forger.stream?.write(Buffer.from(post('other')))
    await forger.until(() => forger.hasFin)
    expect(forger.text).toMatch(/^HTTP\/1\.1 401 .*PT-6101/s)
    expect(upstream.sockets).toHaveLength(0)
    forger.stream?.end()
    await forger.until(() => forger.isClosed)
    expect(desk.events).toEqual([expect.objectContaining({ event: 'connection.closed', code: 'PT-6101' })])
    const sender = desk.visit()
    sender.stream?.write(Buffer.from(post(body)))
    await sender.until(() => sender.text.length >= post(body).length)
    expect(upstream.read() === post(body)).toBe(true)
    desk.desk.close()
  })

  test('a visitor who is sent elsewhere does not reach the upstream, and that is no failure', async () => {
    const desk = openDesk({
      upstream: { path: join(folder, 'none.sock') },
      requests: { logins: [], redirects: [{ from: '/', to: 'https://b.test/' }] },
    })
    const visitor = desk.visit()
    visitor.stream?.write(Buffer.from(get()))
    await visitor.until(() => visitor.hasFin)
    expect(visitor.text).toMatch(/^HTTP\/1\.1 302 Found\r\nLocation: https:\/\/b\.test\/\r\n/)
    visitor.stream?.end()
    await visitor.until(() => visitor.isClosed)
    await desk.empty()
    expect(desk.events).toEqual([expect.objectContaining({ event: 'connection.closed' })])
    expect(desk.events[0]).not.toHaveProperty('code')
  })

  test('if agents share the tunnel the upstream is dialled first, but gets nothing from a stranger', async () => {
    const upstream = await echo()
    const desk = openDesk({
      upstream: { host: '127.0.0.1', port: upstream.port },
      requests: { logins },
      proxyProtocol: 'v1',
    })
    desk.tunnel.lease = { agents: 'many' } as Lease
    const stranger = desk.visit()
    await stranger.until(() => stranger.openedMs !== undefined)
    stranger.stream?.write(Buffer.from(get()))
    await stranger.until(() => stranger.hasFin)
    expect(stranger.text).toMatch(/^HTTP\/1\.1 401 /)
    const guest = desk.visit()
    await guest.until(() => guest.openedMs !== undefined)
    guest.stream?.write(Buffer.from(get(password)))
    await guest.until(() => guest.text.endsWith('\r\n\r\n'))
    expect(upstream.read()).toBe(`PROXY TCP4 192.0.2.7 0.0.0.0 40000 20000\r\n${get()}`)
    desk.desk.close()
  })

  test('an upstream that is down is reported with its own code once the password was right', async () => {
    const desk = openDesk({ upstream: { path: join(folder, 'none.sock') }, requests: { logins } })
    const stranger = desk.visit()
    stranger.stream?.write(Buffer.from(get()))
    await stranger.until(() => stranger.hasFin)
    expect(stranger.text).toMatch(/ 401 /)
    const guest = desk.visit()
    guest.stream?.write(Buffer.from(get(password)))
    await guest.until(() => guest.resetCode !== undefined)
    expect(guest.resetCode).toBe(wireCode('upstream.no_socket'))
    desk.desk.close()
  })

  test('megabytes in one body, and a head longer than the first window, keep flowing', async () => {
    const upstream = await echo()
    const desk = openDesk({
      upstream: { host: '127.0.0.1', port: upstream.port },
      requests: { logins, host: 'b.test' },
    })
    const guest = desk.visit()
    const body = 'x'.repeat(3_000_000)
    const fields = `Cookie: ${'c'.repeat(60_000)}\r\nContent-Length: ${body.length}\r\n`
    guest.stream?.write(Buffer.from(get(password + fields) + body))
    const wanted = get(fields).replace('a.test', 'b.test') + body
    await guest.until(() => guest.bytes.length >= wanted.length)
    expect(guest.text === wanted).toBe(true)
    guest.stream?.end()
    await guest.until(() => guest.isClosed)
    await desk.empty()
  })

  test('a refusal after an earlier request lets go of the upstream', async () => {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${get().length}\r\n\r\n`
    const upstream = await echo(answer)
    const desk = openDesk({ upstream: { host: '127.0.0.1', port: upstream.port }, requests: { logins } })
    const guest = desk.visit()
    guest.stream?.write(Buffer.from(get(password)))
    await guest.until(() => guest.text === answer + get())
    const [socket] = upstream.sockets
    const closed = new Promise((resolve) => socket?.once('close', resolve))
    guest.stream?.write(Buffer.from(get()))
    await guest.until(() => guest.hasFin)
    expect(guest.text).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 401 /s)
    await closed
    guest.stream?.end()
    await guest.until(() => guest.isClosed)
    await desk.empty()
  })

  test('no refusal is written after an invalid answer: the visitor could not tell where it begins', async () => {
    const upstream = await echo()
    const clock = new FakeClock()
    const wanted = { upstream: { host: '127.0.0.1', port: upstream.port }, requests: { logins } }
    const desk = openDesk(wanted, clock)
    const guest = desk.visit()
    guest.stream?.write(Buffer.from(get(password)))
    await guest.until(() => guest.text === get())
    guest.stream?.write(Buffer.from(get()))
    // The visitor may still read for a while.
    for (let seconds = 0; seconds < 60 && desk.desk.active > 0; seconds++)
      await clock.advanceAsync(1_000, 1_000)
    expect([guest.text, desk.desk.active]).toEqual([get(), 0])
  })
})
