/**
 * Visitors of all kinds from accept to their last byte: admission, the stream towards the agent, the counters. The TCP
 * listener and the HTTP listener both go through here, so every refusal and every byte is counted in one place.
 */
import type { Socket } from 'node:net'
import { sourcePath } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Endings } from '@porttunneler/shared/mux/endings'
import { abort, resetBehind } from '@porttunneler/shared/mux/last-words'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { Stream } from '@porttunneler/shared/mux/stream'
import { deafSink, type StreamSink } from '@porttunneler/shared/mux/stream-sink'
import type { Origin, Origins } from './listeners/origins.ts'
import type { Meters } from './meters/meters.ts'
import { Opening, type OpeningEvents } from './opening.ts'
import type { Admission } from './policy/admission.ts'
import { makePool } from './policy/pools.ts'
import { chooseMember, gaveVisitor, isOpen, isPool, type Member, visitorLeft } from './pool.ts'
import { limitsOf, pathOf, subjectOf } from './route-limits.ts'
import type { Route } from './routes.ts'
import type { SessionHandle } from './session-handle.ts'
import { SourceShares } from './source-shares.ts'
import { Unread } from './unread.ts'
import { dropVisit, type LocalEnd, limitKeyOf, Visit, type VisitOptions } from './visit.ts'

/** What a listener knows about a visitor; the rest of OPEN comes from the route. */
export type VisitorInfo = Omit<OpenInfo, 'bind' | 'atMs'>

/** For a relay that ends: its successor waits for it, or a machine is to be shut down. */
const lastWordsMs = 2_000

export type VisitorsOptions = VisitOptions & {
  readonly admission: Admission
  /** Connections at a time. */
  readonly visitorsMax: number
  /** Networks that no rate counts. */
  readonly exempt: readonly string[]
  readonly meters: Meters
  readonly origins: Origins
  /** Those of the process: connections that end together are ended a share a turn. */
  readonly endings: Endings
  /** Whether nobody new is admitted. */
  isShortOfMemory(): boolean
  /** A visitor whose tunnel is known and who got no stream. */
  onRefused?(route: Route, address: string, key: ErrorKey): void
}

/** An agent whose connections were reset has new ones in 0.2 s; a lost packet costs it a second. */
const backMs = 2_000

/** The share of all connections that tunnels may use; the rest is for those that have not said where they go. */
const streamsShare = 0.9

export class Visitors {
  readonly #options: VisitorsOptions
  readonly #sockets
  /** Those of them that another process serves. */
  readonly #passed = new Set<Socket>()
  readonly #visits = new Map<Stream, Visit>()
  /** The streams by owner. */
  readonly #streams
  readonly #idle = new Set<() => void>()
  /** Rises with every visitor of a pool. */
  #turn = 0
  /** Parts of the loop by the visitors' addresses. */
  readonly sources: SourceShares
  readonly unread = new Unread()

  constructor(options: VisitorsOptions) {
    this.#options = options
    this.sources = new SourceShares(options.clock, options.exempt)
    this.#sockets = makePool<Socket>('sockets', options.visitorsMax)
    this.#streams = makePool<Visit>('streams', Math.ceil(options.visitorsMax * streamsShare))
  }

  get clock(): Clock {
    return this.#options.clock
  }

  /** Streams open towards agents. */
  get active(): number {
    return this.#visits.size
  }

  /** Visitor sockets held, with a stream or without. */
  get sockets(): number {
    return this.#sockets.size
  }

  /** The first check of a socket. @returns the visitor's address; undefined: refused, counted, and reset */
  accept(socket: Socket): string | undefined {
    const { admission, meters, origins } = this.#options
    if (socket.remoteAddress === undefined) {
      socket.on('error', ignore).destroy()
      return undefined
    }
    const { address } = origins.of(socket)
    // A proxy's visitors are counted when it names them (`ofSource`).
    const isProxy = origins.trustAt(socket) !== undefined
    const counted = isProxy ? undefined : admission.atAccept(address)
    const refusal = this.#options.isShortOfMemory() ? 'relay.memory' : counted
    if (refusal !== undefined) {
      meters.refused(refusal)
      socket.on('error', ignore).resetAndDestroy()
      return undefined
    }
    return this.welcome(socket) ? address : undefined
  }

  /** Why a visitor that a proxy names may not come in; the caller counts it. */
  ofSource(address: string): ErrorKey | undefined {
    return this.#options.admission.atAccept(address)
  }

  /** Call it when it is known for whom a trusted proxy made this connection, or that it will not say. */
  isFor(socket: Socket, address: string): void {
    if (this.#options.origins.trustAt(socket)) this.#sockets.move(socket, sourcePath(address))
  }

  /**
   * Counts a visitor in, also one that another process of this machine has admitted.
   * @returns false: there is no place for it, and it was reset
   */
  welcome(socket: Socket): boolean {
    const { origins } = this.#options
    if (this.#sockets.add(socket, origins.pathOf(socket), this.#turnAway) !== undefined) {
      this.#turnAway(0, socket.on('error', ignore))
      return false
    }
    // A closed socket has no address any more.
    let counted = origins.trustAt(socket) ? undefined : origins.of(socket).address
    const ends = () => {
      if (counted === undefined || !this.#sockets.has(socket)) return
      this.sources.ended(counted)
      counted = undefined
    }
    // Resets of thousands are read before the first 'close'. With the splice's this is the second listener of each
    // event: with a third Node has room for twenty.
    socket
      .on('error', ends)
      .on('end', ends)
      .on('close', () => {
        ends()
        this.#sockets.remove(socket)
      })
    return true
  }

  readonly #turnAway = (_depth: number, socket: Socket): void => {
    this.#options.meters.refused('visitor.limit')
    abort(socket, undefined)
  }

  /** Another process of this machine serves the visitor, through this one. */
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

  /** Finds visitors that are gone and whose sockets are not read. Call it every few seconds. */
  lookForGone(): void {
    this.unread.look(this.#sockets.members())
  }

  /** The socket is no visitor's: it belongs to an agent. */
  leave(socket: Socket): void {
    this.#sockets.remove(socket)
  }

  /**
   * Opens a stream for an admitted visitor; every refusal is counted at the tunnel. If one agent serves the tunnel it
   * gets the visitor at once: `onVisit` is called before this returns. If several serve it `onVisit` is called when one
   * of them has reached its upstream, and until then nothing may be sent. No rate counts a visitor that `isKnown`: it
   * has had a stream of the tunnel on the same connection.
   * @returns the opening to wait for; undefined: `onVisit` was called
   * @throws tunnel.away, visitor.denied, account.transfer, tunnel.limit, tunnel.rate, account.rate, relay.draining,
   * carrier.lost, session.limit
   */
  open(route: Route, info: VisitorInfo, events: OpeningEvents, isKnown = false): Opening | undefined {
    let visit: Visit
    try {
      this.#admit(route, info, isKnown)
      if (isPool(route)) return this.#offer(route, info, events)
      const member = route.members.find(isOpen) ?? route.members[0]
      if (member === undefined) throw fail('tunnel.away')
      visit = this.#openAt(route, member, { info, sink: deafSink })
    } catch (error) {
      if (isFailure(error)) {
        route.meter.refused(error.key)
        this.#options.onRefused?.(route, info.visitorAddress, error.key)
      }
      throw error
    }
    // Nothing can come between `#openAt` and the sink: both happen in one turn.
    events.onVisit(visit)
    return undefined
  }

  /** Why a request of an admitted visitor is one too many. */
  ofRequest(address: string, route: Route): ErrorKey | undefined {
    return this.#options.admission.atRequest(address, subjectOf(route))
  }

  /** False: the visitor's network takes back too many requests. */
  mayTakeBack(address: string): boolean {
    return this.#options.admission.atTakeBack(address)
  }

  /**
   * The session has no connection for now. Where several agents share the tunnel, visitors that wait for its agent are
   * offered to the others at once. Where the agent is alone it is mostly back in a moment and asks again by itself
   * (rule 12), so its visitors are told only when it is not, or when they have already waited that long (for an agent
   * that had fallen silent).
   */
  abandon(session: SessionHandle): void {
    const { clock } = this.#options
    const nowMs = clock.monotonic()
    const waiting = [...this.#visits.values()].filter((visit) => visit.isWaitingFor(session))
    const isPatient = ({ route, startedMs }: Visit) => !isPool(route) && nowMs - startedMs < backMs
    const patient = waiting.filter(isPatient)
    for (const visit of waiting) if (!isPatient(visit)) visit.cut('carrier.lost')
    if (patient.length === 0) return
    const giveUp = () => {
      if (session.state !== 'detached') return
      for (const visit of patient) if (visit.isWaitingFor(session)) visit.cut('carrier.lost')
    }
    clock.after(backMs, giveUp, { background: true })
  }

  /** Offers the visitor to one agent after the other. @throws why the last of them took no stream */
  #offer(route: Route, info: VisitorInfo, events: OpeningEvents): Opening {
    const { clock } = this.#options
    const nowMs = () => clock.monotonic()
    const opening = new Opening({
      nowMs,
      choose: (tried) => chooseMember(route.members, { tried, nowMs: nowMs(), turn: this.#turn++ }),
      openAt: (member, waiting, isAgain) => this.#openAt(route, member, { info, sink: waiting, isAgain }),
      onVisit: (visit) => events.onVisit(visit),
      onFailed: (key) => events.onFailed(key),
    })
    if (!opening.start()) throw fail(opening.reason)
    return opening
  }

  /** @throws account.transfer, visitor.denied, tunnel.limit, tunnel.rate, account.rate */
  #admit(route: Route, { visitorAddress }: VisitorInfo, isKnown: boolean): void {
    if (this.#options.meters.shares.isSpent(route.claims.account)) throw fail('account.transfer')
    if (!route.ipFilter(visitorAddress)) throw fail('visitor.denied')
    const depth = this.#streams.refusal(pathOf(route, visitorAddress), limitsOf(route))
    if (depth !== undefined) throw fail(limitKeyOf(depth))
    const refusal = isKnown ? undefined : this.#options.admission.atTunnel(visitorAddress, subjectOf(route))
    if (refusal !== undefined) throw fail(refusal)
  }

  #openAt(
    route: Route,
    member: Member,
    { info, sink, isAgain = false }: { info: VisitorInfo; sink: StreamSink; isAgain?: boolean },
  ): Visit {
    const { session, bind } = member
    const visit = new Visit({ route, member }, this.#options, this.#end)
    const { visitorAddress } = info
    visit.start(session.open({ ...info, bind, atMs: this.#options.clock.now() }, sink, visit), isAgain)
    gaveVisitor(member)
    this.#visits.set(visit.stream, visit)
    // It was checked before; where several agents are tried, other visitors may have come meanwhile.
    const depth = this.#streams.add(visit, pathOf(route, visitorAddress), dropVisit, limitsOf(route))
    if (depth !== undefined) dropVisit(depth, visit)
    return visit
  }

  /**
   * Memory is short: ends up to `count` visits on which nothing has moved since the last call, newest first.
   * @returns how many
   */
  shed(count: number): number {
    const still = [...this.#visits.values()].filter((visit) => visit.isStill())
    const chosen = still.reverse().slice(0, count)
    for (const visit of chosen) {
      visit.route.meter.refused('relay.memory')
      visit.cut('relay.memory')
    }
    return chosen.length
  }

  /** Call it when the local side is done with the stream: it ended both ways, or was reset. */
  closed(stream: Stream, end?: LocalEnd): void {
    this.#visits.get(stream)?.localEnded(end)
  }

  /** Ends every visit that `matches`, at both ends. */
  cut(matches: (route: Route) => boolean, reason: ErrorKey): void {
    const owner = {}
    for (const visit of [...this.#visits.values()])
      if (matches(visit.route)) this.#options.endings.add(owner, () => visit.cut(reason))
  }

  /** Resolves when no stream is open, at this process or through it. */
  async idle(signal: AbortSignal): Promise<void> {
    if (this.#visits.size + this.#passed.size === 0 || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idle.add(resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    this.#idle.delete(resolve)
  }

  /**
   * Resets sockets that are still open, with a stream or without, after the bytes written to them, as far as their
   * visitors take them within two seconds.
   */
  async closeSockets(): Promise<void> {
    const { clock } = this.#options
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = clock.after(lastWordsMs, resolve)
    const goOn = () => this.#sockets.size === 0 && resolve()
    for (const socket of [...this.#sockets.members()]) {
      socket.once('close', goOn)
      resetBehind(socket, clock)
    }
    goOn()
    await promise
    timer.clear()
    for (const socket of [...this.#sockets.members()]) abort(socket)
  }

  readonly #end = (visit: Visit): void => {
    visitorLeft(visit.member)
    this.#streams.remove(visit)
    this.#visits.delete(visit.stream)
    this.#wakeIfIdle()
  }

  #wakeIfIdle(): void {
    if (this.#visits.size + this.#passed.size === 0) for (const resolve of this.#idle) resolve()
  }
}

/** 'close' follows and tells the same; without a listener the process would end. */
function ignore(): void {}
