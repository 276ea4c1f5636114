/**
 * Connections that have not yet said what they want: no ClientHello, no request head. There may be so many; when one
 * more comes the oldest makes way, because who means well speaks at once, and who floods is the oldest soon.
 */
export class Strangers<Socket extends object> {
  readonly #max: number
  /** In the order they came; what ends each of them. */
  readonly #waiting = new Map<Socket, () => void>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#waiting.size
  }

  /** @param drop ends the connection and counts it; it is no stranger any more by then */
  add(socket: Socket, drop: () => void): void {
    if (this.#waiting.size >= this.#max) this.shed(1)
    this.#waiting.set(socket, drop)
  }

  /** It has spoken, or is gone. */
  remove(socket: Socket): void {
    this.#waiting.delete(socket)
  }

  /** Ends the `count` oldest. */
  shed(count: number): void {
    let left = count
    for (const [socket, drop] of this.#waiting) {
      if (left-- <= 0) return
      this.#waiting.delete(socket)
      drop()
    }
  }
}
