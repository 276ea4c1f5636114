/**
 * The last thing that this side said about each binding, to be repeated after a loss, because nothing else repeats it.
 * Both sides accept repetitions. The agent paces its requests below the relay's flood limit: many bindings on a path
 * that breaks all the time are sent as often as the limit allows, each in its present state.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { FrameType } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import type { SessionEvents } from './session-frames.ts'

type Said = { readonly type: FrameType; readonly body: unknown; isAnswered: boolean }
type Send = (type: FrameType, body: unknown) => void

/** Half of what the relay accepts: requests that a path held back arrive with those that follow. */
const wordsPerMs = limits.bindsPerMinute / 2 / 60_000
/** Sent at once: all bindings, and all again. */
const burst = 2 * limits.bindsPerSession

export class BindingTalk {
  readonly #said = new Map<number, Said>()
  /** Bindings whose request is still to be sent. */
  readonly #owed = new Set<number>()
  readonly #isPaced: boolean
  readonly #clock: Clock
  readonly #send: Send
  #words = burst
  #countedAtMs: number
  #timer: Timer | undefined

  constructor({ side, clock }: { side: 'relay' | 'agent'; clock: Clock }, send: Send) {
    this.#isPaced = side === 'agent'
    this.#clock = clock
    this.#countedAtMs = clock.monotonic()
    this.#send = send
  }

  say(bind: number, type: FrameType, body: unknown): void {
    this.#said.delete(bind)
    this.#said.set(bind, { type, body, isAnswered: false })
    // The oldest ones are of bindings that ended long ago.
    for (const oldest of this.#said.keys()) {
      if (this.#said.size <= 2 * limits.bindsPerSession) break
      this.#said.delete(oldest)
    }
    this.#owed.add(bind)
    this.#flush()
  }

  /** Answered requests are repeated only when every connection was lost: then both sides agree on the state anew. */
  sayAgain(isAll: boolean): void {
    for (const [bind, { isAnswered }] of this.#said) if (isAll || !isAnswered) this.#owed.add(bind)
    this.#flush()
  }

  close(): void {
    this.#owed.clear()
    this.#timer?.clear()
  }

  /** Reads the other side's answers on their way to `events`. */
  hear(events: SessionEvents): SessionEvents {
    return {
      ...events,
      onBind: (bind, ticket) => {
        // The relay's earlier answer about it is out of date.
        this.#said.delete(bind)
        events.onBind?.(bind, ticket)
      },
      onBound: (bind, endpoint) => {
        this.#answered(bind)
        events.onBound?.(bind, endpoint)
      },
      onUnbound: (bind, code, message) => {
        this.#answered(bind)
        events.onUnbound?.(bind, code, message)
      },
    }
  }

  #answered(bind: number): void {
    const said = this.#said.get(bind)
    // An answer to the request before it tells nothing about one that waits.
    if (said && !this.#owed.has(bind)) said.isAnswered = true
  }

  #flush(): void {
    this.#earn()
    for (const bind of this.#owed) {
      if (this.#isPaced && this.#words < 1) {
        this.#later()
        return
      }
      this.#owed.delete(bind)
      const said = this.#said.get(bind)
      if (!said) continue
      this.#words -= 1
      this.#send(said.type, said.body)
    }
  }

  #earn(): void {
    const now = this.#clock.monotonic()
    this.#words = Math.min(burst, this.#words + (now - this.#countedAtMs) * wordsPerMs)
    this.#countedAtMs = now
  }

  #later(): void {
    const onTime = () => {
      this.#timer = undefined
      this.#flush()
    }
    this.#timer ??= this.#clock.after(Math.ceil(1 / wordsPerMs), onTime, { background: true })
  }
}
