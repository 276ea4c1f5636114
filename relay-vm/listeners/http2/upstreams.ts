/**
 * The streams of one HTTP/2 connection. A few are used again and again, as a browser does with its connections of
 * HTTP/1.1, so a page costs upstream and limits no more than there; requests that are not answered soon get streams of
 * their own, since an answer may go on for hours.
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { type ErrorKey, isFailure } from '@porttunneler/shared/base/errors'
import type { HttpRoute, HttpVisitorInfo } from '../http/deps.ts'
import { Upstream, type UpstreamEvents } from './upstream.ts'

/** A request that needs a stream. */
export type Seeker = {
  readonly route: HttpRoute
  readonly info: HttpVisitorInfo
  /** Requests with the same one may share a stream: same host, same visitor. */
  readonly sharedBy: string
  /** It may be sent again if the upstream closes a used connection in the same moment. */
  readonly isRepeatable: boolean
  /** The visitor has taken it back, which may be told only later. */
  readonly isGone: boolean
  onUpstream(upstream: Upstream): void
  /** It gets none. */
  onRefused(key: ErrorKey): void
}

/** What a browser opens with HTTP/1.1. */
const usualMax = 6
/** A request that waits this long for one of those opens another one. */
const patienceMs = 50
/** Upstreams close connections that are idle for 5 s, some after 2; requests that may be sent again take the risk. */
const idleMs = 4_000
const idleMsUnsafe = 1_000
/** More visitors than these would be too many, but the connection has streams already: one of them is free soon. */
const mayWait: ReadonlySet<ErrorKey> = new Set([
  'tunnel.rate',
  'account.rate',
  'tunnel.limit',
  'account.limit',
])

type Idle = { readonly upstream: Upstream; readonly sharedBy: string; readonly sinceMs: number }
type Wait = { readonly seeker: Seeker; isRefused: boolean }

export class Upstreams implements UpstreamEvents {
  readonly #clock: Clock
  /** Those that answer a request, and for whom. */
  readonly #busy = new Map<Upstream, string>()
  /** The longest idle first. */
  #idle: Idle[] = []
  /** Those that take no more requests but have not ended. */
  readonly #leaving = new Map<Upstream, number>()
  #queue: Wait[] = []
  #lastShared: string | undefined
  #patience: Timer | undefined
  #sweep: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `onUpstream` or `onRefused`, now or later. */
  find(seeker: Seeker): void {
    const idle = this.#takeIdle(seeker)
    if (idle) this.#give(idle, seeker)
    else if (this.#busy.size < usualMax) this.#open({ seeker, isRefused: false })
    else {
      this.#queue.push({ seeker, isRefused: false })
      this.#patience ??= this.#clock.after(patienceMs, this.#grow)
    }
  }

  /** A stream of its own, for a request that an upstream's closing has lost. */
  findFresh(seeker: Seeker): void {
    this.#open({ seeker, isRefused: false })
  }

  /** The request waits no more. */
  forget(seeker: Seeker): void {
    this.#queue = this.#queue.filter((wait) => wait.seeker !== seeker)
  }

  /** Call it every minute or so: ends streams whose upstream does not end after its last answer. */
  look(): void {
    for (const [upstream, looks] of [...this.#leaving])
      if (looks > 0) upstream.leave()
      else this.#leaving.set(upstream, looks + 1)
  }

  /** The connection is gone. */
  close(): void {
    this.#patience?.clear()
    this.#sweep?.clear()
    this.#queue = []
    const idle = this.#idle.splice(0).map(({ upstream }) => upstream)
    for (const upstream of [...idle, ...this.#busy.keys(), ...this.#leaving.keys()]) upstream.leave()
  }

  onFree(upstream: Upstream): void {
    const sharedBy = this.#busy.get(upstream)
    if (sharedBy === undefined) return
    this.#busy.delete(upstream)
    const next = this.#queue.findIndex(({ seeker }) => !seeker.isGone && seeker.sharedBy === sharedBy)
    const [wait] = next < 0 ? [] : this.#queue.splice(next, 1)
    if (wait) this.#give(upstream, wait.seeker)
    else {
      this.#idle.push({ upstream, sharedBy, sinceMs: this.#clock.monotonic() })
      this.#sweep ??= this.#clock.after(idleMs, this.#dropIdle)
      this.#goOn()
    }
  }

  onOver(upstream: Upstream): void {
    this.#busy.delete(upstream)
    this.#idle = this.#idle.filter((idle) => idle.upstream !== upstream)
    this.#leaving.set(upstream, 0)
    this.#goOn()
  }

  onClosed(upstream: Upstream): void {
    this.#leaving.delete(upstream)
  }

  #give(upstream: Upstream, seeker: Seeker): void {
    this.#busy.set(upstream, seeker.sharedBy)
    seeker.onUpstream(upstream)
  }

  /** The youngest: its upstream keeps it open for longest. */
  #takeIdle({ sharedBy, isRepeatable }: Seeker): Upstream | undefined {
    const fromMs = this.#clock.monotonic() - (isRepeatable ? idleMs : idleMsUnsafe)
    const at = this.#idle.findLastIndex((idle) => idle.sharedBy === sharedBy && idle.sinceMs > fromMs)
    const [idle] = at < 0 ? [] : this.#idle.splice(at, 1)
    return idle?.upstream
  }

  #open(wait: Wait): void {
    const { seeker } = wait
    if (seeker.isGone) return
    try {
      const { route, info, sharedBy } = seeker
      const upstream = new Upstream({ route, info, isKnown: this.#isKnown(sharedBy) }, this)
      this.#lastShared = sharedBy
      this.#give(upstream, seeker)
    } catch (error) {
      if (!isFailure(error)) throw error
      if (this.#busy.size > 0 && mayWait.has(error.key)) this.#queue.push({ seeker, isRefused: true })
      else seeker.onRefused(error.key)
    }
  }

  /** A connection is one visitor, however many streams it has; behind a proxy it may have many visitors. */
  #isKnown(sharedBy: string): boolean {
    return sharedBy === this.#lastShared || [...this.#busy.values()].includes(sharedBy)
  }

  /** Requests have waited long enough. */
  readonly #grow = (): void => {
    this.#patience = undefined
    const waits = this.#queue.filter(({ isRefused }) => !isRefused)
    this.#queue = this.#queue.filter(({ isRefused }) => isRefused)
    for (const wait of waits) this.#open(wait)
  }

  /** One stream fewer is busy. */
  #goOn(): void {
    const isAlone = this.#busy.size === 0
    const next = this.#queue.findIndex(({ seeker, isRefused }) => !seeker.isGone && (isAlone || !isRefused))
    if (next < 0 || this.#busy.size >= usualMax) return
    const [wait] = this.#queue.splice(next, 1)
    if (wait) this.#open(wait)
  }

  readonly #dropIdle = (): void => {
    this.#sweep = undefined
    const nowMs = this.#clock.monotonic()
    const late = this.#idle.filter(({ sinceMs }) => nowMs - sinceMs >= idleMs)
    this.#idle = this.#idle.filter((idle) => !late.includes(idle))
    for (const { upstream } of late) upstream.retire()
    const [first] = this.#idle
    if (first) this.#sweep = this.#clock.after(first.sinceMs + idleMs - nowMs, this.#dropIdle)
  }
}
