/**
 * Memory that bytes pass through, used again and again: frames on their way out, bytes on their way to a local socket,
 * bytes kept until they are acknowledged. A fresh buffer for each would live outside V8's heap, and V8 reacts to every
 * 30 to 60 MB of such memory by marking all of the heap: 40 % of all CPU under bulk (docs/performance.md).
 */

/** Four of the largest DATA frames: as much as a carrier gathers in one turn. */
const slabBytes = 256 * 1024
/** When this many slabs are held, those that hold for long must keep copies of their own: 16 MiB. */
const heldMax = 64
/** Free slabs that are kept for the next rush: 4 MiB. */
const freeMax = 16

/** A piece of memory of which many may hold parts; it is free again when nobody does. */
export class Slab {
  readonly buffer: Buffer
  readonly #onFree: (slab: Slab) => void
  #holders = 0

  constructor(bytes: number, onFree: (slab: Slab) => void) {
    this.buffer = Buffer.allocUnsafeSlow(bytes)
    this.#onFree = onFree
  }

  get holders(): number {
    return this.#holders
  }

  hold(): void {
    this.#holders += 1
  }

  /** Call it once for each `hold`. */
  release(): void {
    this.#holders -= 1
    if (this.#holders === 0) this.#onFree(this)
  }
}

/** Held by all `Slabs` of this process, for its figures. */
let heldInProcess = 0

/** Slabs in use in this process. */
export function heldSlabs(): number {
  return heldInProcess
}

export class Slabs {
  /** The slab of the last `take`. */
  current: Slab
  #used = 0
  #held = 1
  readonly #free: Slab[] = []

  constructor() {
    this.current = this.#fresh()
    this.current.hold()
    heldInProcess += 1
  }

  /** Many are held: a user that would hold one for as long as a peer pleases makes a copy instead. */
  get isTight(): boolean {
    return this.#held > heldMax
  }

  /** Slabs in use, the current one included. */
  get held(): number {
    return this.#held
  }

  /** Reserves `bytes` in `current`. A caller that goes on to use them must hold `current`. @returns where they start */
  take(bytes: number): number {
    if (this.current.holders === 1) this.#used = 0
    if (this.#used + bytes > this.current.buffer.length) {
      const full = this.current
      this.current = bytes > slabBytes ? new Slab(bytes, this.#onFree) : (this.#free.pop() ?? this.#fresh())
      this.current.hold()
      this.#held += 1
      heldInProcess += 1
      this.#used = 0
      full.release()
    }
    const start = this.#used
    this.#used += bytes
    return start
  }

  #fresh(): Slab {
    return new Slab(slabBytes, this.#onFree)
  }

  readonly #onFree = (slab: Slab): void => {
    this.#held -= 1
    heldInProcess -= 1
    if (slab.buffer.length === slabBytes && this.#free.length < freeMax) this.#free.push(slab)
  }
}
