/** Agent: what it asked to bind and what it gave back, to be said again after a loss: nothing else repeats it. */
import { FrameType } from '../protocol/frames.ts'

type Say = (type: FrameType, body: unknown) => void

export class AskedBindings {
  readonly #tickets = new Map<number, string>()
  readonly #returned = new Set<number>()
  readonly #say: Say

  constructor(say: Say) {
    this.#say = say
  }

  bind(bind: number, ticket: string): void {
    this.#tickets.set(bind, ticket)
    this.#returned.delete(bind)
    this.#say(FrameType.bind, { bind, ticket })
  }

  unbind(bind: number): void {
    this.#tickets.delete(bind)
    this.#returned.add(bind)
    this.#say(FrameType.unbind, { bind })
  }

  sayAgain(): void {
    for (const [bind, ticket] of this.#tickets) this.#say(FrameType.bind, { bind, ticket })
    for (const bind of this.#returned) this.#say(FrameType.unbind, { bind })
  }
}
