/**
 * Whether a visitor's socket is read. Three reasons stop it (the stream is full, too much is held back, it had its
 * share of this turn), and it goes on when none is left: the one place where pause() and resume() are called.
 */
import type { Socket } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type Hearing, hearOut } from '@porttunneler/shared/mux/last-words'
import type { Flushable, Turn } from '@porttunneler/shared/mux/turn'
import { limits } from '@porttunneler/shared/protocol/limits'

export class Reading implements Flushable {
  readonly #socket: Socket
  readonly #turn: Turn
  readonly #hearing: Hearing
  #isFull = false
  #isHeld = false
  #isResting = false
  #isPaused = true
  #isDetached = false
  #turnBytes = 0

  /** The socket stays paused until `start`. */
  constructor(socket: Socket, { turn, clock }: { readonly turn: Turn; readonly clock: Clock }) {
    this.#socket = socket
    this.#turn = turn
    this.#hearing = hearOut(socket, clock)
    socket.pause()
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** An end that is read now is that of a reset. */
  get isCutShort(): boolean {
    return this.#hearing.isCutShort
  }

  start(): void {
    this.#steer()
  }

  /** For each read: who reads more than its share waits for the next turn. */
  took(bytes: number): void {
    if (this.#turnBytes === 0) this.#turn.add(this)
    this.#turnBytes += bytes
    if (this.#turnBytes < limits.readTurnBytes || this.#isResting) return
    this.#isResting = true
    this.#steer()
  }

  /** The stream takes no more, or takes again. */
  setFull(isFull: boolean): void {
    if (this.#isFull === isFull) return
    this.#isFull = isFull
    this.#steer()
  }

  /** As much is held back as may be, or less. */
  setHeld(isHeld: boolean): void {
    if (this.#isHeld === isHeld) return
    this.#isHeld = isHeld
    this.#steer()
  }

  /** The socket is somebody else's from now on; it is left paused. */
  detach(): void {
    this.#isDetached = true
    this.#socket.pause()
  }

  flush(): void {
    this.#turnBytes = 0
    if (!this.#isResting) return
    this.#isResting = false
    this.#steer()
  }

  #steer(): void {
    const isPaused = this.#isFull || this.#isHeld || this.#isResting
    if (isPaused === this.#isPaused || this.#isDetached) return
    this.#isPaused = isPaused
    if (isPaused) this.#socket.pause()
    else this.#socket.resume()
  }
}
