/**
 * One turn of the event loop. What became dirty during a turn (carriers with frames, sockets with bytes) is written
 * once, in the check phase: `process.nextTick` would run after every TLS record and gather nothing (measured, see
 * docs/performance.md). If turn after turn has only a single small piece to write, as in a ping-pong, there is nothing
 * to gather: the piece is written at the end of the read that made it. One in eight still waits, to see whether that is
 * still so. Beside a fast transfer a small piece waits for the transfer's part of each turn: so this part is smaller
 * while small pieces come, and they are written first.
 */
import { limits } from '../protocol/limits.ts'
import { Endings } from './endings.ts'
import { smallBytes } from './pieces.ts'
import { Slabs } from './slab.ts'

export interface Flushable {
  /** Writes what was gathered. @returns the number of pieces */
  flush(): number
}

/** This many turns in a row must have had a single small piece. */
const lonelyTurns = 4
/** A word may be followed by another for this many turns, which are 5 ms beside a fast transfer. */
const wordTurns = 64
/** Then this many pieces do not wait, before one does. */
const earlyMax = 7

export class Turn {
  /**
   * Gathered bytes are here. Frames and bytes for local sockets are apart, so that the frames of a turn are one run,
   * and one write.
   */
  readonly frameSlabs = new Slabs()
  readonly deliverySlabs = new Slabs()
  /** Ends that are told in this turn and the next. */
  readonly endings: Endings
  #dirty: Flushable[] = []
  /** Those that began with much: they are written behind the others. */
  #dirtyLarge: Flushable[] = []
  #isScheduled = false
  /** Within a read, at whose end `#dirty` may be written. */
  #isReading = false
  #isEarly = false
  #number = 0
  /** The size of the first piece. */
  #pieceBytes = 0
  #lonely = 0
  #earlyLeft = 0
  #wordTurnsLeft = 0
  readonly #schedule: (run: () => void) => void

  /** `schedule` runs its argument at the end of the turn; tests choose the moment. */
  constructor(schedule: (run: () => void) => void = setImmediate) {
    this.#schedule = schedule
    this.endings = new Endings(schedule)
  }

  /** What one socket may read in a turn before others have theirs. */
  get readBytes(): number {
    return this.#wordTurnsLeft > 0 ? limits.readTurnBytesBesideWords : limits.readTurnBytes
  }

  /** A local socket brings little in each turn, as in a conversation: somebody waits for it. */
  heardWord(): void {
    this.#wordTurnsLeft = wordTurns
  }

  /** Changes with each turn in which something was written. */
  get number(): number {
    return this.#number
  }

  /** Calls `item.flush()` once for each call of this. The item has `bytes` to write so far. */
  add(item: Flushable, bytes: number): void {
    if (bytes <= smallBytes) this.#dirty.push(item)
    else this.#dirtyLarge.push(item)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#pieceBytes = bytes
    if (this.#isReading && this.#earlyLeft > 0 && bytes <= smallBytes) {
      this.#earlyLeft -= 1
      this.#isEarly = true
    } else this.#schedule(this.#endTurn)
  }

  /** Call it when something was read. Pieces that result from it come before `endRead`. */
  beginRead(): void {
    this.#isReading = true
  }

  endRead(): void {
    this.#isReading = false
    if (!this.#isEarly) return
    this.#isEarly = false
    if (this.#flush() !== 1) this.#earlyLeft = 0
  }

  readonly #endTurn = (): void => {
    const isSmall = this.#pieceBytes <= smallBytes
    const isLonely = this.#flush() === 1 && isSmall
    this.#lonely = isLonely ? this.#lonely + 1 : 0
    this.#earlyLeft = this.#lonely >= lonelyTurns ? earlyMax : 0
  }

  #flush(): number {
    this.#isScheduled = false
    this.#number += 1
    if (this.#wordTurnsLeft > 0) this.#wordTurnsLeft -= 1
    const dirty = this.#dirty
    const dirtyLarge = this.#dirtyLarge
    this.#dirty = []
    if (dirtyLarge.length > 0) this.#dirtyLarge = []
    let pieces = 0
    for (const item of dirty) pieces += item.flush()
    for (const item of dirtyLarge) pieces += item.flush()
    return pieces
  }
}
