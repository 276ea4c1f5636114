/**
 * What this side last said of each binding, to be said again after a loss: nothing else repeats it. Both sides take a
 * repeated word for what it is.
 */
import type { FrameType } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import type { SessionEvents } from './session-frames.ts'

type Said = { readonly type: FrameType; readonly body: unknown; isAnswered: boolean }

export class BindingTalk {
  readonly #said = new Map<number, Said>()
  readonly #send: (type: FrameType, body: unknown) => void

  constructor(send: (type: FrameType, body: unknown) => void) {
    this.#send = send
  }

  say(bind: number, type: FrameType, body: unknown): void {
    this.#said.delete(bind)
    this.#said.set(bind, { type, body, isAnswered: false })
    // The oldest words are those of bindings long gone.
    for (const oldest of this.#said.keys()) {
      if (this.#said.size <= 2 * limits.bindsPerSession) break
      this.#said.delete(oldest)
    }
    this.#send(type, body)
  }

  /** What was answered is said again only when every connection was lost: then the state is agreed anew. */
  sayAgain(isAll: boolean): void {
    for (const { type, body, isAnswered } of this.#said.values())
      if (isAll || !isAnswered) this.#send(type, body)
  }

  /** Hears the other side's answers on their way to `events`. */
  hear(events: SessionEvents): SessionEvents {
    return {
      ...events,
      onBind: (bind, ticket) => {
        // What the relay said of it before is out of date.
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
    if (said) said.isAnswered = true
  }
}
