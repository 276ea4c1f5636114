/** A queue in which taking the first costs the same however many there are; `Array.shift` moves all the others. */
export class Fifo<T> {
  #items: T[] = []
  #from = 0

  get length(): number {
    return this.#items.length - this.#from
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    if (this.#from === this.#items.length) return undefined
    const item = this.#items[this.#from] as T
    this.#from += 1
    if (this.#from === this.#items.length) {
      this.#items.length = 0
      this.#from = 0
    } else if (this.#from > 64 && this.#from * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#from)
      this.#from = 0
    }
    return item
  }

  /** Returns all of them in order, and empties the queue. */
  drain(): T[] {
    const items = this.#items.slice(this.#from)
    this.#items = []
    this.#from = 0
    return items
  }
}
