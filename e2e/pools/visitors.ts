/** Pools and rates of visitors, filled by their connections. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import type { Hop } from '../../relay-vm/hop-header.ts'
import { Siblings } from '../../relay-vm/siblings.ts'
import { account, openPolicy } from '../../relay-vm/testing/test-control.ts'
import { within } from '../harness/events.ts'
import type { FullPool, PoolCase } from './case.ts'
import { clientHello, greedyAddress, guestHost, type Stage } from './stage.ts'
import { staged } from './staged.ts'
import { askAfterTakingBack, takeBack } from './taken-back.ts'

const plenty = { perMinute: 6_000_000, burst: 1_000_000 }

const balancer = '127.67.0.2'
const proxyHeader = 'PROXY TCP4 203.0.113.7 203.0.113.1 5000 80\r\n'

/** Hellos of visitors: their handshakes go no further. */
const hello = clientHello(guestHost)

/** The greedy tenant's own tunnel, made when it is first needed. */
const tunnels = new WeakMap<Stage, Promise<number>>()
const own = (stage: Stage, of?: typeof account) => {
  const port = tunnels.get(stage) ?? stage.greedyTunnel(of)
  tunnels.set(stage, port)
  return port
}

export const visitorCases = {
  header: staged(
    {
      limits: { strangersMax: 60 },
      trustedProxies: [greedyAddress, balancer],
      proxyProtocol: ['tcp'],
    },
    {
      code: 'visitor.silent',
      count: 90,
      ask: (stage, count) => stage.hold(stage.echoPort, { count }),
      serve: (stage) => stage.ping({ from: balancer, header: proxyHeader }),
    },
  ),
  sockets: staged(
    { limits: { visitorsMax: 200 } },
    {
      code: 'visitor.limit',
      count: 230,
      ask: (stage, count) => stage.hold(stage.ports.tlsPort, { count }),
      serve: (stage) => stage.ping(),
    },
  ),
  silent: staged(
    { limits: { strangersMax: 60 } },
    {
      code: 'visitor.silent',
      count: 90,
      ask: (stage, count) => stage.hold(stage.ports.httpPort, { count }),
      serve: (stage) => stage.ask(),
    },
  ),
  visitorHandshakes: staged(
    { limits: { handshakes: { running: 20, source: plenty } } },
    {
      code: 'tls.budget',
      count: 40,
      ask: async (stage, count) => stage.hold(stage.ports.tlsPort, { count, first: await hello }),
      serve: (stage) => stage.askTls(),
    },
  ),
  streams: staged(
    { limits: { visitorsMax: 200 } },
    {
      code: 'visitor.limit',
      count: 190,
      ask: async (stage, count) => stage.hold(await own(stage), { count }),
      serve: (stage) => stage.ping(),
    },
  ),
  asks: { open: openAsks },
  hops: staged(
    { hasSiblings: true },
    {
      code: 'visitor.silent',
      count: 1_100,
      ask: (stage, count) => stage.holdHops(count),
      serve: (stage) => stage.pingByHop(),
    },
  ),
  'rate accept': staged(
    { limits: { source: { perMinute: 3_000, burst: 200 } } },
    {
      code: 'visitor.rate',
      count: 300,
      more: 10,
      ask: (stage, count) => stage.hold(stage.ports.tlsPort, { count }),
      serve: (stage) => stage.ping(),
    },
  ),
  'rate visitorHandshakeRate': staged(
    { limits: { handshakes: { visitors: { perMinute: 600, burst: 400 }, source: plenty } } },
    {
      code: 'tls.budget',
      count: 480,
      more: 20,
      ask: async (stage, count) => stage.hold(stage.ports.tlsPort, { count, first: await hello }),
      serve: (stage) => stage.askTls(),
    },
  ),
  'rate tunnel': staged(
    { policy: { ...openPolicy, connectionsPerMinute: 600 } },
    {
      code: 'tunnel.rate',
      count: 620,
      more: 10,
      ask: (stage, count) => stage.hold(stage.echoPort, { count }),
      serve: (stage) => stage.ping(),
    },
  ),
  'rate takenBack': staged(
    {},
    {
      code: 'http.taken_back',
      count: 1_140,
      more: 30,
      ask: async (stage, count) => {
        stage.turnedAway += await takeBack(stage.ports, count)
      },
      serve: (stage) => askAfterTakingBack(stage.ports),
    },
  ),
  'rate account': staged(
    { limits: { account: { perMinute: 600, burst: 600 } } },
    {
      code: 'account.rate',
      count: 620,
      more: 10,
      ask: async (stage, count) => stage.hold(await own(stage, account), { count }),
      serve: (stage) => stage.ping(),
    },
  ),
} as const satisfies Record<string, PoolCase>

const hopOf = (address: string, endpoint: string): Hop => ({
  kind: 'raw',
  endpoint,
  origin: { address, port: 5_000, localPort: 80 },
})
const guestHop = hopOf('203.0.113.7', 'tcp:c1:7')
const greedyHop = hopOf(greedyAddress, 'tcp:c1:666')

/**
 * Beside a process that answers questions about the guest's endpoint alone. A question ends after a second: whether 600
 * visitors of a relay ask within that time depends on the machine.
 */
async function openAsks(): Promise<FullPool> {
  const folder = await mkdtemp(join(tmpdir(), 'ptun-pools-'))
  const siblings = new Siblings({ folder, instance: 'r1', clock: systemClock, log: silentLog })
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined).once('close', () => open.delete(socket))
    socket.on('data', (bytes) => {
      if (bytes.toString('latin1').endsWith(guestHop.endpoint)) socket.write(Buffer.of(1))
    })
  }).listen(join(folder, 'r2.sock'))
  let turnedAway = 0
  const ask = async () => {
    const startMs = systemClock.monotonic()
    await siblings.find(greedyHop)
    // A question that the other process has takes a second.
    if (systemClock.monotonic() - startMs < 500) turnedAway += 1
  }
  return {
    fill: () => {
      for (let n = 0; n < 600; n++) void ask()
    },
    // The other process has to accept them.
    isFull: () => turnedAway > 0 && open.size >= 512,
    again: () => {
      for (let n = 0; n < 10; n++) void ask()
    },
    serve: async () => {
      const socket = await within(siblings.find(guestHop), 'the answer to the guest’s question')
      if (!socket) throw new Error('the guest found nobody')
      socket.destroy()
    },
    close: async () => {
      server.close()
      for (const socket of open) socket.destroy()
      await rm(folder, { recursive: true })
    },
  }
}
