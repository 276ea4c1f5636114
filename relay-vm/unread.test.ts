/** Visitors that leave while nobody reads their sockets: Node says nothing, and their places would stay taken. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { type Clock, systemClock } from '@porttunneler/shared/base/clock'
import { hearOut } from '@porttunneler/shared/mux/last-words'
import { readInto } from '@porttunneler/shared/mux/read-into'
import { freePort } from '@porttunneler/shared/testing/ports'
import { describe, expect, test } from 'vitest'
import { makeSelfSigned } from './self-signed.ts'
import { makeTestControl } from './testing/test-control.ts'
import { TestBench } from './testing/test-relay.ts'
import { Unread } from './unread.ts'

/** What is done every few seconds comes every 50 ms. */
const hurried: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  after: (ms, run, options) => systemClock.after(ms, run, options),
  every: (ms, run, options) => systemClock.every(Math.min(ms, 50), run, options),
}

type Leaving = {
  readonly title: string
  /** What the visitor does before it resets its connection. */
  before(visitor: Socket): Promise<unknown> | unknown
  /** The upstream; it never ends anything. */
  serve(upstream: Socket): void
}

const leavings: readonly Leaving[] = [
  {
    title: 'has half-closed, while the upstream is silent',
    before: (visitor) => visitor.end('that is all'),
    serve: (upstream) => upstream.resume(),
  },
  {
    title: 'has sent more than the upstream takes',
    before: async (visitor) => {
      const block = Buffer.alloc(1024 ** 2)
      const untilFull = async () => {
        while (visitor.write(block)) await new Promise(setImmediate)
      }
      await untilFull()
      // What fits into the buffers on the way may take some turns.
      await expect
        .poll(
          () => once(visitor, 'drain', { signal: AbortSignal.timeout(300) }).then(untilFull, () => 'full'),
          { timeout: 20_000 },
        )
        .toBe('full')
    },
    serve: (upstream) => upstream.pause(),
  },
]

describe('visitors that are gone and not read', () => {
  test.each(leavings)(
    'one that $title gives its place back, and its upstream hears of it',
    async ({ before, serve }) => {
      const control = await makeTestControl()
      const bench = await TestBench.make(control)
      try {
        const { ports } = await bench.startRelay({}, { clock: hurried })
        const upstreams: Socket[] = []
        let gone = 0
        const upstreamPort = await bench.startUpstream((upstream) => {
          upstreams.push(upstream)
          upstream.once('close', () => gone++)
          serve(upstream)
        })
        const port = await freePort()
        const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
        await (await bench.dial(ports, { ticket, upstreamPort })).bind(1, ticket)
        const held = async () => {
          const metrics = await (await fetch(`http://127.0.0.1:${ports.adminPort}/metrics`)).text()
          return Number(/^ptun_visitor_sockets (\d+)$/m.exec(metrics)?.[1])
        }
        const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
        await once(visitor, 'connect')
        await expect.poll(() => upstreams.length, { timeout: 10_000 }).toBe(1)
        await before(visitor)
        await expect.poll(held, { timeout: 10_000 }).toBe(1)
        visitor.resetAndDestroy()
        await expect.poll(held, { timeout: 10_000 }).toBe(0)
        // An upstream in Node is as deaf: it hears of the reset when it writes.
        const ask = () => {
          upstreams[0]?.resume().write('are you there?')
          return gone
        }
        await expect.poll(ask, { timeout: 10_000 }).toBe(1)
      } finally {
        await bench.close()
      }
    },
  )

  test('one that is there and says nothing stays, and hears nothing', async () => {
    const unread = new Unread()
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const visitor = connect({
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      allowHalfOpen: true,
    })
    const [socket] = (await once(server, 'connection')) as [Socket]
    let heard = 0
    visitor.on('data', (bytes: Buffer) => {
      heard += bytes.length
    })
    visitor.end()
    socket.resume()
    await once(socket, 'end')
    for (let look = 0; look < 3; look++) unread.look([socket])
    socket.write('after that')
    await expect.poll(() => heard, { timeout: 5_000 }).toBe(10)
    expect(socket.destroyed).toBe(false)
    socket.destroy()
    server.close()
  })

  test('a look at thousands takes turns with the rest of the loop, and the next waits for its end', async () => {
    const unread = new Unread()
    let looks = 0
    const isPaused = () => {
      looks += 1
      return false
    }
    const crowd = Array.from({ length: 2_500 }, () => ({ isPaused }) as unknown as Socket)
    unread.look(crowd)
    unread.look(crowd)
    expect(looks).toBeLessThanOrEqual(1_000)
    await expect.poll(() => looks, { timeout: 5_000 }).toBe(2_500)
    unread.look(crowd)
    await expect.poll(() => looks, { timeout: 5_000 }).toBe(5_000)
  })

  test('one by TLS whose bytes wait is found as well', async () => {
    const unread = new Unread()
    const { certificate: cert, key } = await makeSelfSigned(['a.test'], Date.now())
    const server = createTlsServer({ cert, key: key.reveal() })
    const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
    let raw: Socket | undefined
    server.on('connection', (socket: Socket) => {
      raw = socket
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const below = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' })
    const visitor = connectTls({ socket: below, servername: 'a.test', ca: cert })
    visitor.on('error', () => undefined)
    const [socket] = await accepted
    socket.on('error', () => undefined)
    hearOut(socket, systemClock)
    readInto(socket, 'visitorTls', () => socket.pause())
    visitor.write('hello')
    await expect.poll(() => socket.isPaused(), { timeout: 5_000 }).toBe(true)
    if (!(raw instanceof Socket)) throw new Error('no connection was accepted')
    unread.readBy(raw, socket)
    below.resetAndDestroy()
    const sockets = [raw]
    await expect
      .poll(
        () => {
          unread.look(sockets)
          return socket.destroyed
        },
        { timeout: 10_000 },
      )
      .toBe(true)
    server.close()
  })
})
