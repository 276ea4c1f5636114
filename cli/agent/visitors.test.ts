import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Lease } from '@porttunneler/shared/api/schemas/tunnels'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, wireCode } from '@porttunneler/shared/base/errors'
import { Turn } from '@porttunneler/shared/mux/turn'
import { anyVisitor, type MuxPair, muxPair, Recorder } from '@porttunneler/shared/testing/mux-pair'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, describe, expect, test } from 'vitest'
import type { AgentEvent } from './events.ts'
import { newTunnel, statusOf, type Tunnel, type WantedTunnel } from './tunnels.ts'
import { VisitorDesk } from './visitor-desk.ts'
import { visitorsMax } from './visitors-max.ts'

const servers = new Set<Server>()
afterEach(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  servers.clear()
})

/** A program on this machine; half-open, as real servers are. */
async function upstream(serve: (socket: Socket) => void, port = 0): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    serve(socket)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  servers.add(server)
  return (server.address() as AddressInfo).port
}

type Desk = { pair: MuxPair; desk: VisitorDesk; tunnel: Tunnel; events: AgentEvent[]; idle: Promise<void> }

function openDesk(port: number, wanted: Partial<WantedTunnel> = {}): Desk {
  const events: AgentEvent[] = []
  const idle = Promise.withResolvers<void>()
  const tunnel = newTunnel(1, { name: 'web', kind: 'tcp', upstream: { host: 'localhost', port }, ...wanted })
  const desk = new VisitorDesk({
    clock: systemClock,
    turn: new Turn(),
    emit: (event) => events.push(event),
    visitorsMax: 4,
    onIdle: idle.resolve,
  })
  const pair = muxPair({
    clock: systemClock,
    agent: { onOpen: (stream, info) => desk.accept(stream, info, info.bind === 1 ? tunnel : undefined) },
  })
  return { pair, desk, tunnel, events, idle: idle.promise }
}

const sharedLease: Lease = {
  tunnel: `tun_${'0'.repeat(26)}`,
  name: 'web',
  kind: 'tcp',
  endpoint: { id: 'tcp:c1:20000', url: 'tcp://host.test:20000', host: 'host.test', port: 20_000 },
  agents: 'many',
  epoch: 1,
  expiresAt: 2,
  ticket: 'ticket',
  ticketExpiresAt: 1,
}

class Visitor extends Recorder {
  openedMs: number | undefined
  answer: 'upgraded' | 'plain' | undefined

  onOpened(connectMs: number): void {
    this.openedMs = connectMs
    this.onChange()
  }

  onUpgraded(): void {
    this.answer = 'upgraded'
    this.onChange()
  }

  onPlain(): void {
    this.answer = 'plain'
    this.onChange()
  }
}

function visit({ pair }: Desk, info: Partial<typeof anyVisitor> = {}): Visitor {
  const visitor = new Visitor()
  visitor.stream = pair.relay.open({ ...anyVisitor, ...info }, visitor)
  return visitor
}

const names = (desk: Desk) => desk.events.map(({ event }) => event)

describe('visitors', () => {
  test('a sick upstream gets no visitors while other agents share the tunnel, and all when alone', async () => {
    const desk = openDesk(await upstream((socket) => void socket.pipe(socket)))
    desk.tunnel.health = { state: 'unhealthy', failure: fail('upstream.unhealthy', 'answered 500') }
    const alone = visit(desk)
    await alone.until(() => alone.openedMs !== undefined)
    desk.tunnel.lease = sharedLease
    const turnedAway = visit(desk)
    await turnedAway.until(() => turnedAway.resetCode !== undefined)
    expect(turnedAway.resetCode).toBe(wireCode('upstream.unhealthy'))
    expect(turnedAway.openedMs).toBeUndefined()
    desk.desk.close()
  })

  test.each([
    ['v1', '2001:db8::7', Buffer.from('PROXY TCP6 2001:db8::7 :: 4711 20100\r\nhello')],
    [
      'v2',
      '192.0.2.7',
      Buffer.from('0d0a0d0a000d0a515549540a2111000cc00002070000000012674e8468656c6c6f', 'hex'),
    ],
  ] as const)(
    'PROXY %s comes before what the visitor said first',
    async (version, visitorAddress, wanted) => {
      const heard = Promise.withResolvers<Buffer>()
      const port = await upstream((socket) => {
        const chunks: Buffer[] = []
        socket.on('data', (chunk) => chunks.push(chunk))
        socket.on('end', () => {
          heard.resolve(Buffer.concat(chunks))
          socket.end()
        })
      })
      const desk = openDesk(port, { proxyProtocol: version })
      const visitor = visit(desk, { visitorAddress, visitorPort: 4_711, localPort: 20_100 })
      visitor.stream?.write(Buffer.from('hello'))
      visitor.stream?.end()
      expect(await heard.promise).toEqual(wanted)
      await desk.idle
      expect(desk.tunnel.bytesIn, 'the header is not the visitor’s').toBe(5)
    },
  )

  test('bytes from before the upstream was connected arrive, and half-close delivers the answer', async () => {
    const desk = openDesk(
      await upstream((socket) => {
        let heard = ''
        socket.on('data', (chunk) => {
          heard += chunk
        })
        socket.on('end', () => socket.end(`you said ${heard}`))
      }),
    )
    const visitor = visit(desk)
    visitor.stream?.write(Buffer.from('hello, '))
    visitor.stream?.write(Buffer.from('world'))
    visitor.stream?.end()
    await visitor.until(() => visitor.hasFin)
    await desk.idle
    expect(visitor.bytes.toString()).toBe('you said hello, world')
    expect(visitor.openedMs).toBeGreaterThanOrEqual(0)
    expect(statusOf(desk.tunnel)).toMatchObject({ active: 0, total: 1, bytesIn: 12, bytesOut: 21 })
    expect(names(desk)).toEqual(['connection.opened', 'connection.closed'])
  })

  test('a tunnel whose program is down resets visitors with the reason, reports it once, and recovers', async () => {
    const port = await freePort()
    const desk = openDesk(port)
    for (const visitor of [visit(desk), visit(desk)]) {
      await visitor.until(() => visitor.resetCode !== undefined)
      expect(visitor.resetCode).toBe(wireCode('upstream.refused'))
    }
    expect(names(desk).filter((name) => name === 'upstream.failed')).toHaveLength(1)
    expect(statusOf(desk.tunnel).problem?.code).toBe('PT-6040')
    await upstream((socket) => socket.end('back'), port)
    const visitor = visit(desk)
    visitor.stream?.end()
    await visitor.until(() => visitor.hasFin)
    expect(visitor.bytes.toString()).toBe('back')
    expect(names(desk)).toContain('upstream.recovered')
    expect(statusOf(desk.tunnel).problem).toBeUndefined()
  })

  test('an upstream that resets its connection resets the visitor', async () => {
    const desk = openDesk(await upstream((socket) => socket.once('data', () => socket.resetAndDestroy())))
    const visitor = visit(desk)
    visitor.stream?.write(Buffer.from('x'))
    await visitor.until(() => visitor.resetCode !== undefined)
    expect(visitor.resetCode).toBe(wireCode('stream.aborted'))
    await desk.idle
    expect(desk.events.at(-1)).toMatchObject({ event: 'connection.closed', code: 'PT-3022' })
  })

  test('a visitor that resets also ends its connection to the upstream', async () => {
    const gone = Promise.withResolvers<void>()
    const desk = openDesk(
      await upstream((socket) => {
        socket.resume()
        socket.on('close', () => gone.resolve())
      }),
    )
    const visitor = visit(desk)
    await visitor.until(() => visitor.openedMs !== undefined)
    visitor.stream?.reset('stream.aborted')
    await gone.promise
    await desk.idle
    expect(desk.desk.active).toBe(0)
  })

  test('an Upgrade is answered for the relay, and its first bytes are not lost', async () => {
    const answers = { chat: 'HTTP/1.1 101 Switching Protocols\r\n\r\nhi', page: 'HTTP/1.1 200 OK\r\n\r\n' }
    const desk = openDesk(
      await upstream((socket) => {
        socket.once('data', (chunk) => socket.write(String(chunk) === 'chat' ? answers.chat : answers.page))
      }),
    )
    for (const [what, answer] of [
      ['chat', 'upgraded'],
      ['page', 'plain'],
    ] as const) {
      const visitor = visit(desk, { awaitsUpgrade: true })
      visitor.stream?.write(Buffer.from(what))
      await visitor.until(() => visitor.answer !== undefined && visitor.bytes.length === answers[what].length)
      expect(visitor.answer).toBe(answer)
      visitor.stream?.reset('stream.aborted')
    }
    await desk.idle
  })

  test('a visitor with all the agent’s connections yields to others', async () => {
    const desk = openDesk(await upstream((socket) => void socket.pipe(socket)))
    const crowd = Array.from({ length: 6 }, () => visit(desk))
    for (const visitor of crowd.slice(4)) await visitor.until(() => visitor.resetCode !== undefined)
    const guest = visit(desk, { visitorAddress: '198.51.100.1' })
    await guest.until(() => guest.openedMs !== undefined)
    const limit = wireCode('session.limit')
    expect(crowd.map(({ resetCode }) => resetCode)).toEqual([
      ...[undefined, undefined, undefined],
      ...[limit, limit, limit],
    ])
    desk.desk.close()
  })

  test.each([
    ['Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096  files', 819],
    ['', 8_000],
    ['Max open files            1048576              1048576  files', 65_536],
  ])('an agent takes as many visitors as its descriptors allow: %j', (text, wanted) => {
    expect(visitorsMax({ text, heapBytes: 2 ** 40 })).toBe(wanted)
  })

  test.each([
    [32, 768],
    [4_096, 65_536],
    [16, 1],
  ])('an agent takes as many visitors as a heap of %d MiB can hold', (MiB, wanted) => {
    const text = 'Max open files            1048576              1048576  files'
    expect(visitorsMax({ text, heapBytes: MiB * 1024 ** 2 })).toBe(wanted)
  })

  test('a visitor of an unserved tunnel is reset', async () => {
    const desk = openDesk(await freePort())
    const visitor = visit(desk, { bind: 7 })
    await visitor.until(() => visitor.resetCode !== undefined)
    expect(visitor.resetCode).toBe(wireCode('session.revoked'))
    expect(desk.desk.active).toBe(0)
  })

  test('closing resets everybody at once', async () => {
    const desk = openDesk(await upstream((socket) => socket.resume()))
    const visitors = [visit(desk), visit(desk)]
    for (const visitor of visitors) await visitor.until(() => visitor.openedMs !== undefined)
    desk.desk.close()
    for (const visitor of visitors) await visitor.until(() => visitor.resetCode !== undefined)
    expect(visitors.map(({ resetCode }) => resetCode)).toEqual([3023, 3023])
    await desk.idle
  })
})
