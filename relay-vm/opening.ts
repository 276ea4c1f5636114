/**
 * A visitor of a tunnel that several agents share, until one of them has reached its upstream. The visitor is offered
 * to one after the other; nothing of it is sent before, so no request can be made twice.
 */
import { type ErrorKey, isFailure, keyOfCode } from '@porttunneler/shared/base/errors'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import { failed, type Member, succeeded } from './pool.ts'
import type { Visit } from './visit.ts'

export type OpeningEvents = {
  /** An upstream is connected. Whoever is told gives the stream its sink before it returns. */
  onVisit(visit: Visit): void
  /** Nobody could take the visitor; it is not counted yet. */
  onFailed(key: ErrorKey): void
}

export type OpeningOptions = OpeningEvents & {
  nowMs(): number
  /** The next one to ask. */
  choose(tried: ReadonlySet<Member>): Member | undefined
  /** Opens a stream there. @throws relay.draining, carrier.lost, session.limit */
  openAt(member: Member, sink: StreamSink, isAgain: boolean): Visit
}

/** The relay has ended the stream: another agent would not help, and this agent is not to blame. */
const ownReasons: ReadonlySet<ErrorKey> = new Set<ErrorKey>([
  'visitor.limit',
  'account.limit',
  'tunnel.limit',
  'relay.memory',
  'relay.draining',
])

export class Opening implements StreamSink {
  readonly #options: OpeningOptions
  readonly #tried = new Set<Member>()
  #member: Member | undefined
  #visit: Visit | undefined
  #hasEnded = false
  /** The reason of the last agent is the one that the visitor is told. */
  #reason: ErrorKey = 'tunnel.away'

  constructor(options: OpeningOptions) {
    this.#options = options
  }

  /** @returns false when nobody could be asked; `reason` says why, and `onFailed` is not called */
  start(): boolean {
    return this.#ask()
  }

  get reason(): ErrorKey {
    return this.#reason
  }

  /** The visitor is gone. */
  cancel(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#visit?.cut('stream.aborted')
  }

  onOpened(): void {
    const visit = this.#visit
    if (this.#hasEnded || !visit || !this.#member) return
    succeeded(this.#member)
    this.#hasEnded = true
    this.#options.onVisit(visit)
  }

  onReset(code: number): void {
    if (this.#hasEnded || !this.#member) return
    this.#reason = keyOfCode(code) ?? 'stream.aborted'
    if (!ownReasons.has(this.#reason)) failed(this.#member, this.#options.nowMs())
    if (!ownReasons.has(this.#reason) && this.#ask()) return
    this.#hasEnded = true
    this.#options.onFailed(this.#reason)
  }

  // An agent sends OPENED before anything else.
  onData(): void {}
  onFin(): void {}
  onWritable(): void {}

  #ask(): boolean {
    for (;;) {
      const member = this.#options.choose(this.#tried)
      if (!member) return false
      const isAgain = this.#visit !== undefined
      this.#tried.add(member)
      this.#member = member
      try {
        this.#visit = this.#options.openAt(member, this, isAgain)
        return true
      } catch (error) {
        if (!isFailure(error)) throw error
        this.#reason = error.key
      }
    }
  }
}
