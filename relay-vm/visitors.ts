/**
 * Visitors of all kinds from accept to their last byte: admission, the stream towards the agent, the counters. The TCP
 * listener and the HTTP listener both go through here, so every refusal and every byte is counted in one place.
 */
import type { Socket } from 'node:net'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, isFailure, wireCode } from '@porttunneler/shared/base/errors'
import { abort } from '@porttunneler/shared/mux/splice'
import type { OpenInfo, Stream, StreamSink } from '@porttunneler/shared/mux/stream'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { Origin, Origins } from './listeners/origins.ts'
import type { Meters } from './meters/meters.ts'
import { Opening, type OpeningEvents } from './opening.ts'
import type { Admission } from './policy/admission.ts'
import { chooseMember, isOpen, isPool, type Member } from './pool.ts'
import type { Route } from './routes.ts'
import type { SessionHandle } from './session-handle.ts'

/** What a listener knows of a visitor; the rest of OPEN is the route's. */
export type VisitorInfo = Omit<OpenInfo, 'bind' | 'atMs'>

export type VisitorsOptions = {
  readonly clock: Clock
  readonly admission: Admission
  readonly meters: Meters
  readonly origins: Origins
  /** The agent took so long to connect to the upstream, ms. */
  onConnected(route: Route, connectMs: number): void
}

export class Visitors {
  readonly #options: VisitorsOptions
  readonly #sockets = new Set<Socket>()
  /** Those of them whose stream is another process's. */
  readonly #passed = new Set<Socket>()
  readonly #visits = new Map<Stream, Visit>()
  readonly #idle = new Set<() => void>()
  readonly #openings = new Set<Opening>()
  /** Rises with every visitor of a pool. */
  #turn = 0

  constructor(options: VisitorsOptions) {
    this.#options = options
  }

  /** Streams open towards agents. */
  get active(): number {
    return this.#visits.size
  }

  /** Visitor sockets held, with a stream or not yet. */
  get sockets(): number {
    return this.#sockets.size
  }

  /** First thing for a socket. @returns the visitor's address; undefined = turned away, counted, and reset */
  accept(socket: Socket): string | undefined {
    const { admission, meters, origins } = this.#options
    socket.on('error', () => {
      // 'close' follows and says the same; without a listener the process would end.
    })
    if (socket.remoteAddress === undefined) {
      socket.destroy()
      return undefined
    }
    const { address } = origins.of(socket)
    const refusal = admission.atAccept(address, this.#sockets.size)
    if (refusal !== undefined) {
      meters.refused(refusal)
      socket.resetAndDestroy()
      return undefined
    }
    this.welcome(socket)
    return address
  }

  /** Counts a visitor in that another process of this machine has admitted. */
  welcome(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  /** The visitor is served by another process of this machine, through this one. */
  passOn(socket: Socket): void {
    this.#passed.add(socket)
    socket.once('close', () => {
      this.#passed.delete(socket)
      this.#wakeIfIdle()
    })
  }

  /** Who an accepted socket belongs to. */
  originOf(socket: Socket): Origin {
    return this.#options.origins.of(socket)
  }

  /** The socket is no visitor after all: it belongs to an agent. */
  leave(socket: Socket): void {
    this.#sockets.delete(socket)
  }

  /**
   * Opens the stream of an admitted visitor; every refusal is counted at the tunnel.
   * `sink` may be replaced through the visit by whoever needs the stream first.
   * @throws tunnel.away, visitor.denied, tunnel.limit, tunnel.rate, account.rate, relay.draining, carrier.lost,
   * session.limit
   */
  open(route: Route, info: VisitorInfo, sink: StreamSink): Visit {
    try {
      this.#admit(route, info)
      const member = route.members.find(isOpen) ?? route.members[0]
      if (member === undefined) throw fail('tunnel.away')
      return this.#openAt(route, member, { info, sink })
    } catch (error) {
      if (isFailure(error)) route.meter.refused(error.key)
      throw error
    }
  }

  /**
   * The same for a tunnel that several agents share: the stream comes later, from the first of them that reaches its
   * upstream. Until then nothing may be sent.
   * @returns undefined when the tunnel is not shared
   */
  connect(route: Route, info: VisitorInfo, events: OpeningEvents): Opening | undefined {
    if (!isPool(route)) return undefined
    const { clock } = this.#options
    const nowMs = () => clock.monotonic()
    const opening = new Opening({
      nowMs,
      choose: (tried) => chooseMember(route.members, { tried, nowMs: nowMs(), turn: this.#turn++ }),
      openAt: (member, waiting, isAgain) => this.#openAt(route, member, { info, sink: waiting, isAgain }),
      onVisit: (visit) => events.onVisit(visit),
      onFailed: (key) => events.onFailed(key),
      onEnd: () => this.#openings.delete(opening),
    })
    try {
      this.#admit(route, info)
      if (!opening.start()) throw fail(opening.reason)
    } catch (error) {
      if (isFailure(error)) route.meter.refused(error.key)
      throw error
    }
    this.#openings.add(opening)
    return opening
  }

  /** The session has no connection for now: who waits for an upstream behind it is offered to others. */
  abandon(session: SessionHandle): void {
    for (const opening of [...this.#openings]) opening.abandon(session)
  }

  /** @throws visitor.denied, tunnel.limit, tunnel.rate, account.rate */
  #admit(route: Route, { visitorAddress }: VisitorInfo): void {
    const refusal = this.#options.admission.atTunnel(visitorAddress, subjectOf(route))
    if (refusal !== undefined) throw fail(refusal)
  }

  #openAt(
    route: Route,
    member: Member,
    { info, sink, isAgain = false }: { info: VisitorInfo; sink: StreamSink; isAgain?: boolean },
  ): Visit {
    const visit = new Visit(route, sink, this.#options, (stream) => {
      member.active -= 1
      this.#end(stream)
    })
    const { session, bind } = member
    visit.start(session.open({ ...info, bind, atMs: this.#options.clock.now() }, visit), isAgain)
    member.active += 1
    this.#visits.set(visit.stream, visit)
    return visit
  }

  /** The local side is done with the stream: it was ended both ways, or reset. */
  closed(stream: Stream): void {
    this.#visits.get(stream)?.localEnded()
  }

  /** Ends every visit that `matches`, at both ends. */
  cut(matches: (route: Route) => boolean, reason: ErrorKey): void {
    for (const visit of [...this.#visits.values()]) if (matches(visit.route)) visit.cut(reason)
  }

  /** Resolves when no stream is open, here or through here. */
  async idle(signal: AbortSignal): Promise<void> {
    if (this.#visits.size + this.#passed.size === 0 || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idle.add(resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    this.#idle.delete(resolve)
  }

  /** Resets sockets that are still open, with a stream or without. */
  closeSockets(): void {
    for (const socket of [...this.#sockets]) abort(socket, undefined)
  }

  #end(stream: Stream): void {
    this.#visits.delete(stream)
    this.#wakeIfIdle()
  }

  #wakeIfIdle(): void {
    if (this.#visits.size + this.#passed.size === 0) for (const resolve of this.#idle) resolve()
  }
}

/**
 * One visitor's stream, between the session and the sink that uses it: it watches the OPEN deadline, tells the meter
 * when the stream is really over, and lets the sink be set after the stream exists.
 */
export class Visit implements StreamSink {
  readonly route: Route
  sink: StreamSink
  readonly #options: VisitorsOptions
  readonly #onEnd: (stream: Stream) => void
  #stream: Stream | undefined
  #openTimer: Timer | undefined
  #isConnected = false
  #isOver = false

  constructor(route: Route, sink: StreamSink, options: VisitorsOptions, onEnd: (stream: Stream) => void) {
    this.route = route
    this.sink = sink
    this.#options = options
    this.#onEnd = onEnd
  }

  get stream(): Stream {
    if (this.#stream === undefined) throw new Error('The visit has no stream yet')
    return this.#stream
  }

  /** The agent has reached the upstream. */
  get isConnected(): boolean {
    return this.#isConnected
  }

  /** @param isAgain for a visitor that was counted when another agent was asked */
  start(stream: Stream, isAgain = false): void {
    this.#stream = stream
    this.route.meter.opened(stream, isAgain)
    this.#openTimer = this.#options.clock.after(limits.openDeadlineMs, () => this.cut('open.deadline'))
  }

  onData(bytes: Buffer): void {
    this.sink.onData(bytes)
  }

  onFin(): void {
    this.sink.onFin()
  }

  onWritable(): void {
    this.sink.onWritable()
  }

  onReset(code: number): void {
    this.#finish()
    this.sink.onReset(code)
  }

  onClosed(): void {
    this.#finish()
    this.sink.onClosed?.()
  }

  onOpened(connectMs: number): void {
    this.#forgetDeadline()
    if (!this.#isConnected) this.#options.onConnected(this.route, connectMs)
    this.#isConnected = true
    this.sink.onOpened?.(connectMs)
  }

  onUpgraded(): void {
    this.sink.onUpgraded?.()
  }

  onPlain(): void {
    this.sink.onPlain?.()
  }

  /** Resets the stream at both ends. */
  cut(reason: ErrorKey): void {
    if (this.#isOver) return
    this.stream.reset(reason)
    this.onReset(wireCode(reason))
  }

  /** What was written may still be on its way to the agent: then the session says when it is over. */
  localEnded(): void {
    const { state, sink } = this.stream
    if (state === 'resetting' || state === 'closed' || sink !== this) this.#finish()
  }

  /** What a timer was made of would otherwise stay for as long as the visitor does. */
  #forgetDeadline(): void {
    this.#openTimer?.clear()
    this.#openTimer = undefined
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#forgetDeadline()
    this.route.meter.closed(this.stream)
    this.#onEnd(this.stream)
  }
}

function subjectOf({ claims, policy, ipFilter, meter }: Route) {
  return { tunnel: claims.sub, account: claims.account, policy, ipFilter, active: meter.active }
}
