/**
 * Gathers a transaction body's reads that begin in the same tick into one call. A claim's transaction reads some forty
 * documents side by side, and separate calls would lengthen the time in which others can overtake it.
 */
import type { Doc, Ref } from '@porttunneler/shared/control/platform'
import { checkRef } from '@porttunneler/shared/control/store-rules'
import type { Found } from './store.firestore.values.ts'

/** Maximum for a call; a transaction reads fewer. */
export const refsMax = 100

type Read = (refs: readonly Ref[]) => Promise<readonly (Found | undefined)[]>
type Call = { readonly refs: Ref[]; readonly found: ReturnType<Read> }

export class GatheredReads {
  readonly #read: Read
  #next: Call | undefined

  constructor(read: Read) {
    this.#read = read
  }

  /** @throws store.invalid, and what the call throws */
  async read<T extends Doc>(ref: Ref<T>): Promise<Found<T> | undefined> {
    // A bad one must not fail the others.
    checkRef(ref)
    if (this.#next === undefined || this.#next.refs.length === refsMax) this.#next = this.#begin()
    const call = this.#next
    const at = call.refs.push(ref) - 1
    return (await call.found)[at] as Found<T> | undefined
  }

  #begin(): Call {
    const refs: Ref[] = []
    const found = Promise.resolve().then(() => {
      if (this.#next?.refs === refs) this.#next = undefined
      return this.#read(refs)
    })
    return { refs, found }
  }
}
