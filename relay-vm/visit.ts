/**
 * One visitor's stream as the relay counts it: it watches the OPEN deadline and tells the meter when the stream is
 * really over. Bytes do not come this way.
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { type ErrorKey, wireCode } from '@porttunneler/shared/base/errors'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { StreamWatch } from '@porttunneler/shared/mux/stream-sink'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { Member } from './pool.ts'
import type { Route } from './routes.ts'
import type { SessionHandle } from './session-handle.ts'

export type VisitOptions = {
  readonly clock: Clock
  /** How long the agent took to connect to the upstream, ms. */
  onConnected(route: Route, connectMs: number): void
  /** @param code the number of a PT code; 0: it ended in order */
  onEnded?(visit: Visit, code: number): void
}

/** How the local side ended: `done` when all that was asked is answered, a code when it was reset. */
export type LocalEnd = ErrorKey | 'done'

export class Visit implements StreamWatch {
  readonly route: Route
  /** Who serves it. */
  readonly member: Member
  /** Monotonic. */
  readonly startedMs: number
  readonly #options: VisitOptions
  readonly #onEnd: (visit: Visit) => void
  #stream: Stream | undefined
  #openTimer: Timer | undefined
  #isConnected = false
  #isOver = false
  #seenBytes = -1
  #localCode: number | undefined

  constructor(
    place: { readonly route: Route; readonly member: Member },
    options: VisitOptions,
    onEnd: (visit: Visit) => void,
  ) {
    this.route = place.route
    this.member = place.member
    this.#options = options
    this.#onEnd = onEnd
    this.startedMs = options.clock.monotonic()
  }

  get stream(): Stream {
    if (this.#stream === undefined) throw new Error('The visit has no stream yet')
    return this.#stream
  }

  /** The agent has reached the upstream. */
  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Whether it waits for the agent of that session, from which nothing has come yet. */
  isWaitingFor(session: SessionHandle): boolean {
    return this.member.session === session && this.stream.state === 'opening'
  }

  /** @param isAgain for a visitor that was counted when another agent was asked */
  start(stream: Stream, isAgain = false): void {
    this.#stream = stream
    this.route.meter.opened(stream, isAgain)
    this.#openTimer = this.#options.clock.after(limits.openDeadlineMs, () => this.cut('open.deadline'))
  }

  onOpened(connectMs: number): void {
    this.#forgetDeadline()
    if (!this.#isConnected) this.#options.onConnected(this.route, connectMs)
    this.#isConnected = true
  }

  onOver(code = 0): void {
    this.#finish(this.#localCode ?? code)
  }

  /** Whether nothing has moved since the last call. The first call returns false. */
  isStill(): boolean {
    const { bytesIn, bytesOut } = this.stream
    const before = this.#seenBytes
    this.#seenBytes = bytesIn + bytesOut
    return before === this.#seenBytes
  }

  /** Resets the stream at both ends. */
  cut(reason: ErrorKey): void {
    if (this.#isOver) return
    this.stream.cut(reason)
    // The local side may have reset it before.
    this.#finish(wireCode(reason))
  }

  /** Bytes may still be on their way to the agent: then the session says when it is over. */
  localEnded(end?: LocalEnd): void {
    if (end !== undefined) this.#localCode ??= end === 'done' ? 0 : wireCode(end)
    if (this.stream.isOver) this.#finish(this.#localCode ?? 0)
  }

  /** Otherwise the objects of a timer would stay as long as the visitor does. */
  #forgetDeadline(): void {
    this.#openTimer?.clear()
    this.#openTimer = undefined
  }

  #finish(code: number): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#forgetDeadline()
    this.route.meter.closed(this.stream)
    this.#options.onEnded?.(this, code)
    this.#onEnd(this)
  }
}

/** By the depth in the pool of streams. */
const limitKeys: readonly ErrorKey[] = ['visitor.limit', 'account.limit', 'tunnel.limit']

/** Why a visitor has no place, by the depth of the limit in the pool of streams. */
export function limitKeyOf(depth: number): ErrorKey {
  return limitKeys[depth] ?? 'tunnel.limit'
}

/** Ends a visit that has no place any more, and counts it at its tunnel. */
export function dropVisit(depth: number, visit: Visit): void {
  const key = limitKeyOf(depth)
  visit.route.meter.refused(key)
  visit.cut(key)
}
