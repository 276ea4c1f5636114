/**
 * Whether a socket is read. Four reasons stop it (its consumer is full, too much is held back, it had its share of this
 * turn, its account had its share of the loop), and it goes on when none is left. A caller that resumes it anyway does
 * no harm.
 */
import type { Duplex } from 'node:stream'
import { smallBytes } from './pieces.ts'
import type { Flushable, Turn } from './turn.ts'

/** The reader of a socket. */
export type Reader = {
  /** The socket uses `bytes` again when this returns. */
  onBytes(bytes: Buffer): void
}

export class Reading implements Flushable {
  readonly #socket: Duplex
  readonly #turn: Turn
  readonly #kind: 'local' | 'carrier'
  #isFull = false
  #isHeld = false
  #isResting = false
  #isWaiting = false
  #isOver = false
  /** The last turn in which it was read, and the bytes read in it. Turns in which nothing is written do not count. */
  #turnNumber = 0
  #turnBytes = 0

  constructor(socket: Duplex, turn: Turn, kind: 'local' | 'carrier' = 'local') {
    this.#socket = socket
    this.#turn = turn
    this.#kind = kind
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /**
   * Call it for each read: a socket that reads more than its share waits for the next turn, so that others are read
   * too. The result of `reader` may be written when it returns.
   */
  pass(bytes: Buffer, reader: Reader): void {
    this.#turn.beginRead()
    reader.onBytes(bytes)
    this.#turn.endRead()
    this.#took(bytes.length)
  }

  #took(bytes: number): void {
    const { number } = this.#turn
    if (number !== this.#turnNumber) {
      // Small twice in a row, because the last read of a transfer's turn is small now and then. A carrier's small reads
      // are mostly the credit of transfers.
      const isWord = bytes <= smallBytes && this.#turnBytes <= smallBytes
      if (isWord && this.#kind === 'local') this.#turn.heardWord()
      this.#turnNumber = number
      this.#turnBytes = 0
    }
    this.#turnBytes += bytes
    if (this.#turnBytes < this.#turn.readBytes || this.#isResting) return
    this.#isResting = true
    this.#turn.add(this, bytes)
    this.#stop()
  }

  /** The consumer accepts no more, or accepts again. */
  setFull(isFull: boolean): void {
    const wasFull = this.#isFull
    this.#isFull = isFull
    if (isFull) this.#stop()
    else if (wasFull) this.goOn()
  }

  /** As much is held back as allowed, or less. */
  setHeld(isHeld: boolean): void {
    const wasHeld = this.#isHeld
    this.#isHeld = isHeld
    if (isHeld) this.#stop()
    else if (wasHeld) this.goOn()
  }

  /** The account has had its part of the loop, or may go on. */
  setWaiting(isWaiting: boolean): void {
    this.#isWaiting = isWaiting
    if (isWaiting) this.#stop()
    else this.goOn()
  }

  /** Reads, if no reason stops it. */
  goOn(): void {
    const isStopped = this.#isFull || this.#isHeld || this.#isResting || this.#isWaiting
    if (!isStopped && !this.#isOver) this.#socket.resume()
  }

  /** The socket belongs to somebody else from now on; it is left paused. */
  detach(): void {
    this.#isOver = true
    this.#socket.pause()
  }

  /** A new turn begins. */
  flush(): number {
    this.#isResting = false
    this.goOn()
    return 0
  }

  #stop(): void {
    if (!this.#isOver && !this.#socket.isPaused()) this.#socket.pause()
  }
}
