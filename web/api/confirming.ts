/**
 * Some calls want a person who showed a moment ago who they are. Such a call waits here while a dialog asks, and is
 * then repeated; several that wait at once have one dialog.
 */
import { ApiFailure } from './failure.ts'
import type { Requests } from './requests.ts'

/** `auth.stale` */
const staleCode = 'PT-1016'

export class Confirming {
  readonly #listeners = new Set<() => void>()
  #asked: PromiseWithResolvers<boolean> | undefined

  get isAsking(): boolean {
    return this.#asked !== undefined
  }

  /** Resolves when the person has confirmed it, or would not. */
  ask(): Promise<boolean> {
    this.#asked ??= Promise.withResolvers<boolean>()
    this.#tell()
    return this.#asked.promise
  }

  /** Ends the question. Without one it does nothing. */
  settle(isConfirmed: boolean): void {
    this.#asked?.resolve(isConfirmed)
    this.#asked = undefined
    this.#tell()
  }

  /** Calls `listener` when a question begins or ends. Returns the way to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** The same requests; one that is refused until the person confirms asks them, and is sent again. */
export function confirmedRequests(request: Requests, confirming: Confirming): Requests {
  return async <T>(...call: Parameters<Requests>) => {
    try {
      return await request<T>(...call)
    } catch (error) {
      const isStale = error instanceof ApiFailure && error.problem.code === staleCode
      if (!isStale || !(await confirming.ask())) throw error
      return request<T>(...call)
    }
  }
}
