import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { type ErrorKey, fail, wireCode } from '@porttunneler/shared/base/errors'
import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { Endings, endingsPerTurn } from '@porttunneler/shared/mux/endings'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { StreamState } from '@porttunneler/shared/mux/stream-options'
import type { StreamSink, StreamWatch } from '@porttunneler/shared/mux/stream-sink'
import { limits } from '@porttunneler/shared/protocol/limits'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test, vi } from 'vitest'
import { Origins } from './listeners/origins.ts'
import { Meters } from './meters/meters.ts'
import { Admission } from './policy/admission.ts'
import { compileIpFilter } from './policy/ip-filter.ts'
import { newMember } from './pool.ts'
import type { Route } from './routes.ts'
import { claimsOf } from './testing/test-control.ts'
import type { Visit } from './visit.ts'
import { Visitors } from './visitors.ts'

const info = { visitorAddress: '192.0.2.1', visitorPort: 1, localPort: 2, awaitsUpgrade: false }
const rate = { perMinute: 60_000, burst: 1_000 }

/** The part of a stream that visitors use; the test does what the session would. */
class FakeStream implements Pick<Stream, 'state' | 'isOver' | 'bytesIn' | 'bytesOut' | 'serve' | 'cut'> {
  state: StreamState = 'opening'
  bytesIn = 0
  bytesOut = 0
  readonly resets: ErrorKey[] = []
  readonly #watch: StreamWatch
  #sink: StreamSink

  constructor(sink: StreamSink, watch: StreamWatch) {
    this.#sink = sink
    this.#watch = watch
  }

  get isOver(): boolean {
    return this.state === 'resetting' || this.state === 'closed'
  }

  serve(sink: StreamSink): void {
    this.#sink = sink
  }

  cut(key: ErrorKey): void {
    this.resets.push(key)
    this.state = 'resetting'
    this.saysReset(wireCode(key))
  }

  saysOpened(connectMs: number): void {
    this.#watch.onOpened(connectMs)
    this.#sink.onOpened?.(connectMs)
  }

  saysReset(code: number): void {
    this.#watch.onOver()
    this.#sink.onReset(code)
  }

  saysClosed(): void {
    this.state = 'closed'
    this.#watch.onOver()
    this.#sink.onClosed?.()
  }
}

function setUp({
  refuse,
  visitorsMax = 2,
  trusted = [],
}: {
  refuse?: ErrorKey
  visitorsMax?: number
  trusted?: string[]
} = {}) {
  const clock = new FakeClock()
  const meters = new Meters()
  const streams: FakeStream[] = []
  const connected: number[] = []
  const memory = { isShort: false }
  const visitors = new Visitors({
    endings: new Endings(setImmediate),
    clock,
    meters,
    isShortOfMemory: () => memory.isShort,
    origins: new Origins({
      clock,
      proxies: new TrustedProxies(trusted),
      headerAt: [],
      waitingMax: 1,
      refused: (reason) => meters.refused(reason),
    }),
    visitorsMax,
    exempt: [],
    admission: new Admission(clock, { source: rate, account: rate, exempt: [] }),
    onConnected: (_route, ms) => connected.push(ms),
  })
  const session = {
    id: 's',
    rttMs: 1,
    unbound() {},
    state: 'open' as const,
    resetBind() {},
    open(_info: unknown, sink: StreamSink, watch: StreamWatch) {
      if (refuse !== undefined) throw fail(refuse)
      const stream = new FakeStream(sink, watch)
      streams.push(stream)
      return stream as unknown as Stream
    },
  }
  const claims = { iss: 'x', iat: 0, exp: 1, ...claimsOf('host:demo.test') }
  const route: Route = {
    endpoint: claims.endpoint,
    claims,
    policy: claims.policy,
    policyVersion: 0,
    ipFilter: compileIpFilter(claims.policy),
    meter: meters.of(claims.sub, claims.account),
    members: [newMember({ session, bind: 1 }, claims.agent)],
  }
  const heard: string[] = []
  const sink: StreamSink = {
    onData() {},
    onFin() {},
    onWritable() {},
    onReset: (code) => heard.push(`reset ${code}`),
    onOpened: () => heard.push('opened'),
    onClosed: () => heard.push('closed'),
  }
  return { clock, meters, memory, visitors, route, sink, heard, streams, connected }
}

/** A visitor of a tunnel with one agent: it has its stream at once. */
function open(visitors: Visitors, route: Route, who: typeof info, sink: StreamSink): Visit {
  const opened: Visit[] = []
  const onVisit = (visit: Visit) => {
    visit.stream.serve(sink)
    opened.push(visit)
  }
  expect(visitors.open(route, who, { onVisit, onFailed: () => expect.unreachable() })).toBeUndefined()
  return opened[0] as Visit
}

/** A socket with the parts that accept needs. */
function makeSocket(remoteAddress: string | undefined) {
  const socket = new EventEmitter() as EventEmitter & { ends: string[]; remoteAddress: string | undefined }
  socket.ends = []
  socket.remoteAddress = remoteAddress
  const end = (how: string) => () => socket.ends.push(how)
  return Object.assign(socket, { destroy: end('destroy'), resetAndDestroy: end('reset') })
}
type FakeSocket = ReturnType<typeof makeSocket>
const accept = (visitors: Visitors, socket: FakeSocket) => visitors.accept(socket as unknown as Socket)

describe('visitors', () => {
  test('an agent that does not answer OPEN within the deadline costs that visitor alone', () => {
    const { clock, visitors, route, sink, heard, streams } = setUp()
    open(visitors, route, info, sink)
    clock.advance(limits.openDeadlineMs - 1)
    expect(heard).toEqual([])
    clock.advance(1)
    expect(streams[0]?.resets).toEqual(['open.deadline'])
    expect(heard).toEqual([`reset ${wireCode('open.deadline')}`])
    expect(visitors.active).toBe(0)
    expect(clock.pending).toBe(0)
  })

  test('a visitor that waits for an agent without connections is told if it is not back soon; others go on', () => {
    const { clock, visitors, route, sink, heard, streams } = setUp()
    open(visitors, route, info, sink)
    open(visitors, route, info, sink)
    const [served, waiting] = streams
    if (served) served.state = 'open'
    const [member] = route.members
    if (member) visitors.abandon({ ...member.session, state: 'detached' })
    if (member) visitors.abandon(Object.assign(member.session, { state: 'detached' as const }))
    clock.advance(1_999)
    expect(heard).toEqual([])
    clock.advance(1)
    expect(heard).toEqual([`reset ${wireCode('carrier.lost')}`])
    expect([served?.resets, waiting?.resets]).toEqual([[], ['carrier.lost']])
    expect(visitors.active).toBe(1)
    served?.saysReset(1)
    expect(clock.pending).toBe(0)
  })

  test('a visitor of an agent that is back in a moment is told nothing: the agent asks again by itself', () => {
    const { clock, visitors, route, sink, heard } = setUp()
    open(visitors, route, info, sink)
    const [member] = route.members
    if (member) visitors.abandon(Object.assign(member.session, { state: 'detached' as const }))
    Object.assign(member?.session ?? {}, { state: 'open' })
    clock.advance(2_000)
    expect(heard).toEqual([])
  })

  test('a visitor that has long waited for a silent agent is told as soon as its connections are found lost', () => {
    const { clock, visitors, route, sink, heard } = setUp()
    open(visitors, route, info, sink)
    clock.advance(2_000)
    const [member] = route.members
    if (member) visitors.abandon(Object.assign(member.session, { state: 'detached' as const }))
    expect(heard).toEqual([`reset ${wireCode('carrier.lost')}`])
  })

  test('OPENED ends the deadline and is measured once', () => {
    const { clock, visitors, route, sink, heard, streams, connected } = setUp()
    open(visitors, route, info, sink)
    streams[0]?.saysOpened(12)
    streams[0]?.saysOpened(13)
    clock.advance(limits.openDeadlineMs)
    expect(heard).toEqual(['opened', 'opened'])
    expect(connected).toEqual([12])
  })

  test('bytes that leave after the visitor has gone are still counted', () => {
    const { visitors, route, sink, streams } = setUp()
    const { stream } = open(visitors, route, info, sink)
    const fake = streams[0] as FakeStream
    fake.state = 'open'
    fake.bytesOut = 10
    visitors.closed(stream)
    expect(visitors.active, 'the session still sends').toBe(1)
    fake.bytesOut = 25
    fake.saysClosed()
    expect(visitors.active).toBe(0)
    expect(route.meter.read()).toMatchObject({ in: 25, closed: 1, active: 0 })
  })

  test('a command that ends a crowd ends a share of it in each turn', async () => {
    const crowd = 5 * endingsPerTurn
    const { visitors, route, sink } = setUp({ visitorsMax: crowd * 2 })
    for (let n = 0; n < crowd; n++) open(visitors, route, info, sink)
    visitors.cut(() => true, 'session.revoked')
    expect(visitors.active).toBe(crowd - endingsPerTurn)
    const idle = visitors.idle(AbortSignal.timeout(10_000))
    await new Promise(setImmediate)
    expect(visitors.active).toBe(crowd - 2 * endingsPerTurn)
    await idle
    expect(visitors.active).toBe(0)
  })

  test('every end of a stream counts once', () => {
    const { visitors, route, sink, streams } = setUp()
    const { stream } = open(visitors, route, info, sink)
    streams[0]?.saysReset(1)
    visitors.closed(stream)
    visitors.cut(() => true, 'relay.draining')
    expect(streams[0]?.resets).toEqual([])
    expect(route.meter.read()).toMatchObject({ opened: 1, closed: 1 })
  })

  test('refusals are counted at their tunnel, wherever they come from', () => {
    const away = setUp()
    const route = { ...away.route, members: [] }
    expect(() => open(away.visitors, route, info, away.sink)).toThrow(
      expect.objectContaining({ key: 'tunnel.away' }),
    )
    expect([...away.route.meter.refusals()]).toEqual([['tunnel.away', 1]])
    const full = setUp({ refuse: 'session.limit' })
    expect(() => open(full.visitors, full.route, info, full.sink)).toThrow()
    expect([...full.route.meter.refusals()]).toEqual([['session.limit', 1]])
    expect(full.clock.pending).toBe(0)
  })

  test('sockets beyond the cap are reset and counted; a place is free again when one closes', () => {
    const { visitors, meters } = setUp()
    const sockets = Array.from({ length: 3 }, () => makeSocket('::ffff:192.0.2.1'))
    expect(sockets.map((socket) => accept(visitors, socket))).toEqual(['192.0.2.1', '192.0.2.1', undefined])
    expect(sockets[2]?.ends).toEqual(['reset'])
    expect([...meters.refusals()]).toEqual([['visitor.limit', 1]])
    sockets[0]?.emit('close')
    expect(accept(visitors, makeSocket('192.0.2.9'))).toBe('192.0.2.9')
  })

  test.each([
    ['a visitor', '192.0.2.1', ['192.0.2.1']],
    ['an agent, who is counted elsewhere', '192.0.2.1', []],
    ['a proxy, which comes for many', '203.0.113.1', []],
  ])('the end of a connection counts once for its address: %s', (who, address, counted) => {
    const { visitors } = setUp({ trusted: ['203.0.113.0/24'] })
    const ended = vi.spyOn(visitors.sources, 'ended')
    const socket = makeSocket(address)
    accept(visitors, socket)
    if (who.startsWith('an agent')) visitors.leave(socket as unknown as Socket)
    for (const event of ['end', 'error', 'close']) {
      socket.emit(event)
      // Resets of a crowd are read before the first 'close'.
      expect(ended.mock.calls.flat()).toEqual(counted)
    }
  })

  test('while memory is short nobody comes in, and idle visitors are closed, newest first and a few at a time', () => {
    const { visitors, memory, meters, route, sink, streams } = setUp({ visitorsMax: 10 })
    for (let i = 0; i < 4; i++) open(visitors, route, info, sink)
    memory.isShort = true
    expect(accept(visitors, makeSocket('192.0.2.1'))).toBeUndefined()
    expect([...meters.refusals()]).toEqual([['relay.memory', 1]])
    expect(visitors.shed(2), 'nothing is known to be idle yet').toBe(0)
    const [, second, , fourth] = streams
    if (fourth) fourth.bytesIn += 1
    expect(visitors.shed(2)).toBe(2)
    expect(streams.map(({ resets }) => resets.length)).toEqual([0, 1, 1, 0])
    expect(second?.resets).toEqual(['relay.memory'])
    expect([...route.meter.refusals()]).toEqual([['relay.memory', 2]])
  })

  test('one address with all open connections of a tunnel yields to others, and not they to it', () => {
    const { visitors, route, sink, streams } = setUp({ visitorsMax: 100 })
    const policy = { ...route.policy, connectionsMax: 4 }
    const come = (visitorAddress: string) =>
      open(visitors, { ...route, policy }, { ...info, visitorAddress }, sink)
    for (let n = 0; n < 4; n++) come('192.0.2.1')
    expect(() => come('192.0.2.1')).toThrow(expect.objectContaining({ key: 'tunnel.limit' }))
    for (const address of ['198.51.100.1', '203.0.113.1']) come(address)
    expect(() => come('192.0.2.1')).toThrow(expect.objectContaining({ key: 'tunnel.limit' }))
    expect(streams.map(({ resets }) => resets)).toEqual([[], [], ['tunnel.limit'], ['tunnel.limit'], [], []])
  })

  test('one tunnel with all open connections of an account yields to its others', () => {
    const { visitors, route, meters, sink, streams } = setUp({ visitorsMax: 100 })
    const claims = { ...route.claims, accountLimits: { connectionsMax: 4, connectionsPerMinute: 600 } }
    for (let n = 0; n < 4; n++)
      open(visitors, { ...route, claims }, { ...info, visitorAddress: `192.0.2.${n}` }, sink)
    const meter = meters.of('tun_other', claims.account)
    open(visitors, { ...route, meter, claims: { ...claims, sub: 'tun_other' } }, info, sink)
    expect(streams.map(({ resets }) => resets.length)).toEqual([0, 0, 0, 1, 0])
  })

  test('one account with all connections of the relay yields to the others', () => {
    const { visitors, route, meters, sink, streams } = setUp({ visitorsMax: 10 })
    for (let n = 0; n < 9; n++) open(visitors, route, { ...info, visitorAddress: `192.0.${n}.1` }, sink)
    const guest = { ...route.claims, account: 'acc_guest', sub: 'tun_guest' }
    const meter = meters.of('tun_guest', 'acc_guest')
    for (let n = 0; n < 4; n++) open(visitors, { ...route, meter, claims: guest }, info, sink)
    expect(streams.slice(9).every(({ resets }) => resets.length === 0)).toBe(true)
    expect(streams.filter(({ resets }) => resets[0] === 'visitor.limit')).toHaveLength(4)
    expect(() => open(visitors, route, info, sink)).toThrow(expect.objectContaining({ key: 'visitor.limit' }))
  })

  test('an account is held to what its plan admits, over all its tunnels', () => {
    const { visitors, route, meters, sink, streams } = setUp()
    const accountLimits = { connectionsMax: 2, connectionsPerMinute: 60 }
    const claims = { ...route.claims, accountLimits }
    const other = { ...claims, sub: 'tun_other' }
    open(visitors, { ...route, claims }, info, sink)
    const two = { ...route, claims: other, meter: meters.of(other.sub, other.account) }
    open(visitors, two, info, sink)
    const come = () => open(visitors, two, info, sink)
    expect(come).toThrow(expect.objectContaining({ key: 'account.limit' }))
    streams[0]?.saysReset(1)
    expect(come).not.toThrow()
  })

  test('a visitor that is gone before it is accepted costs nothing', () => {
    const { visitors } = setUp()
    const socket = makeSocket(undefined)
    expect(accept(visitors, socket)).toBeUndefined()
    expect(socket.ends).toEqual(['destroy'])
    expect(visitors.sockets).toBe(0)
  })

  test('idle resolves when the last stream has ended, or when the wait is aborted', async () => {
    const { visitors, route, sink, streams } = setUp()
    await visitors.idle(new AbortController().signal)
    open(visitors, route, info, sink)
    const waiting = visitors.idle(new AbortController().signal)
    const hurry = new AbortController()
    const hurried = visitors.idle(hurry.signal)
    hurry.abort()
    await hurried
    expect(visitors.active).toBe(1)
    streams[0]?.saysReset(1)
    await waiting
  })
})
