/**
 * The HTTP/2 connections of one tunnel to its upstream, which all of its visitors share. One is made when the first
 * visitor comes and kept; another only when the upstream allows no more requests on those that there are. A connection
 * on which the upstream said GOAWAY gets no more requests, and ends with its last.
 */
import type { ClientHttp2Session } from 'node:http2'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { type ConnectOptions, connectHttp2 } from './connect.ts'

/** An upstream that allows 100 requests at a time gets 800. */
const sessionsMax = 8
/** For a request to become possible: long enough for short requests to end, and shorter than clients wait. */
const waitMs = 20_000
const idleMs = 60_000
/**
 * Servers take many cancelled requests on one connection for an attack and end it with all that is on it (Node and
 * nghttp2 after 1,000, Envoy after 500), so an impatient visitor would harm the others.
 */
const cancelledMax = 200
/**
 * An upstream that vanished without a word (a container with another address, say) is found out by the first request
 * after such a silence, however many were sent into it.
 */
const silenceMs = 30_000
const pongMs = 10_000
/** Between two reports of failed requests. */
const reportMs = 60_000

/** The right to one request. */
export type Slot = {
  readonly session: ClientHttp2Session
  /** The upstream has begun to answer. */
  heard(): void
  /** The request is over. `isCancelled`: because nobody wanted its answer any more. */
  release(isCancelled: boolean): void
}

type Waiter = {
  /** A visitor that has no request yet only wants to know that the upstream is there. */
  readonly wantsSlot: boolean
  readonly onReady: (slot: Slot | undefined) => void
  readonly onFail: (failure: PortTunnelerError) => void
  readonly timer: Timer
}

type Held = {
  readonly session: ClientHttp2Session
  active: number
  hasServed: boolean
  cancelled: number
  /** When the upstream last showed that it lives (monotonic). */
  heardMs: number
  idleTimer: Timer | undefined
  pongTimer: Timer | undefined
}

export class UpstreamSessions {
  readonly #options: ConnectOptions
  readonly #clock: Clock
  readonly #held = new Set<Held>()
  readonly #waiting = new Set<Waiter>()
  #stopConnecting: (() => void) | undefined
  #isRetired = false
  #quietUntilMs = 0

  constructor(options: ConnectOptions) {
    this.#options = options
    this.#clock = options.clock
  }

  /** `http` or `https`, for requests. */
  get scheme(): 'http' | 'https' {
    return this.#options.scheme
  }

  /** Whether a failed request is reported: a visitor may make an upstream fail as often as it likes. */
  mayReport(): boolean {
    const nowMs = this.#clock.monotonic()
    if (nowMs < this.#quietUntilMs) return false
    this.#quietUntilMs = nowMs + reportMs
    return true
  }

  /** A request may begin at once. */
  take(): Slot | undefined {
    for (const held of this.#held) if (hasRoom(held)) return this.#slotOf(held)
    return undefined
  }

  /**
   * Waits until a request may begin; without `wantsSlot`, until the upstream is there. One of the handlers is called
   * once, never before this returns. There are as many waiters as visitors at most.
   * @returns a function that gives up silently
   */
  wait(
    wantsSlot: boolean,
    onReady: (slot: Slot | undefined) => void,
    onFail: (failure: PortTunnelerError) => void,
  ): () => void {
    const timer = this.#clock.after(waitMs, () => {
      this.#waiting.delete(waiter)
      onFail(
        fail(
          'upstream.busy',
          `${this.#options.name} allows no more requests at a time, and none ended in 20 s`,
        ),
      )
    })
    const waiter: Waiter = { wantsSlot, onReady, onFail, timer }
    this.#waiting.add(waiter)
    setImmediate(() => this.#serve())
    return () => {
      timer.clear()
      this.#waiting.delete(waiter)
      if (this.#waiting.size === 0) this.#giveUp()
    }
  }

  /** Ends each connection with its last request: the tunnel's settings have changed. */
  retire(): void {
    this.#isRetired = true
    for (const { session } of this.#held) session.close()
  }

  /** Ends all connections at once. */
  close(): void {
    this.retire()
    this.#giveUp()
    for (const { session } of [...this.#held]) session.destroy()
  }

  #serve(): void {
    for (const waiter of [...this.#waiting]) {
      const slot = waiter.wantsSlot ? this.take() : undefined
      if (waiter.wantsSlot ? slot === undefined : this.#usable === 0) continue
      this.#waiting.delete(waiter)
      waiter.timer.clear()
      waiter.onReady(slot)
    }
    if (this.#waiting.size > 0 && this.#usable < sessionsMax) this.#connect()
  }

  #connect(): void {
    this.#stopConnecting ??= connectHttp2(
      this.#options,
      (session) => {
        this.#stopConnecting = undefined
        const held = this.#hold(session)
        this.#serve()
        if (held.active === 0) this.#rest(held)
      },
      (failure) => {
        this.#stopConnecting = undefined
        this.#refuse(failure)
      },
    )
  }

  /** No connection can be had. Where there is one its requests end some time. */
  #refuse(failure: PortTunnelerError): void {
    if (this.#usable > 0) return
    for (const waiter of [...this.#waiting]) {
      this.#waiting.delete(waiter)
      waiter.timer.clear()
      waiter.onFail(failure)
    }
  }

  /** Connections that take requests. Others end with their last one; there are no more of those than visitors. */
  get #usable(): number {
    let usable = 0
    for (const { session } of this.#held) if (!session.closed) usable += 1
    return usable
  }

  #giveUp(): void {
    this.#stopConnecting?.()
    this.#stopConnecting = undefined
  }

  #hold(session: ClientHttp2Session): Held {
    const held: Held = {
      session,
      active: 0,
      hasServed: false,
      cancelled: 0,
      heardMs: this.#clock.monotonic(),
      idleTimer: undefined,
      pongTimer: undefined,
    }
    this.#held.add(held)
    session.on('close', () => {
      held.idleTimer?.clear()
      held.pongTimer?.clear()
      this.#held.delete(held)
      if (this.#waiting.size === 0) return
      // Another would end in the same way, and so on.
      if (!held.hasServed)
        this.#refuse(fail('upstream.reset', `${this.#options.name} ended the connection at once`))
      this.#serve()
    })
    session.on('remoteSettings', () => this.#serve())
    return held
  }

  #slotOf(held: Held): Slot {
    if (this.#clock.monotonic() - held.heardMs > silenceMs) this.#ping(held)
    held.active += 1
    held.hasServed = true
    held.idleTimer?.clear()
    let isReleased = false
    return {
      session: held.session,
      heard: () => this.#heard(held),
      release: (isCancelled) => {
        if (isReleased) return
        isReleased = true
        if (isCancelled) held.cancelled += 1
        if (held.cancelled === cancelledMax) held.session.close()
        held.active -= 1
        if (held.active === 0) this.#rest(held)
        if (this.#waiting.size > 0) this.#serve()
      },
    }
  }

  /** It goes with a request: gRPC servers count pings on an idle connection as abuse. */
  #ping(held: Held): void {
    const { session } = held
    if (held.pongTimer) return
    held.pongTimer = this.#clock.after(pongMs, () => session.destroy(), { background: true })
    session.ping(() => {
      held.pongTimer?.clear()
      held.pongTimer = undefined
      this.#heard(held)
    })
  }

  #heard(held: Held): void {
    held.heardMs = this.#clock.monotonic()
  }

  #rest(held: Held): void {
    if (this.#isRetired) held.session.close()
    else held.idleTimer = this.#clock.after(idleMs, () => held.session.close(), { background: true })
  }
}

function hasRoom({ session, active }: Held): boolean {
  return !session.closed && !session.destroyed && active < (session.remoteSettings.maxConcurrentStreams ?? 0)
}
