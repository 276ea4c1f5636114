/**
 * The memory for webhooks that are not there completely, one room for all visitors of an agent. While it has space,
 * everybody gets it. When it is full, whoever has most gives way to whoever has less: first among tunnels, then among
 * networks, then among addresses (FairPool). So no visitor and no tunnel can keep the webhooks of others out.
 */
import { FairPool } from '@porttunneler/shared/base/fair-pool'

/** Bytes of all webhooks together: 64 of the longest, or some thousand of the usual ones. */
const roomBytesMax = 64 * 1024 * 1024
/** What is counted. Most webhooks are shorter, and a room of smaller parts would spend more on counting. */
const partBytes = 16 * 1024

/** What one webhook has of the room. */
export class HeldLot {
  readonly #room: FairPool<Part>
  readonly #path: readonly string[]
  readonly #onYield: () => void
  readonly #parts: Part[] = []

  constructor(room: FairPool<Part>, path: readonly string[], onYield: () => void) {
    this.#room = room
    this.#path = path
    this.#onYield = onYield
  }

  /** Takes space until there is enough for `bytes`. @returns false if others have none to give */
  grow(bytes: number): boolean {
    while (this.#parts.length * partBytes < bytes) {
      const part = { lot: this }
      if (this.#room.add(part, this.#path, dropPart) !== undefined) return false
      this.#parts.push(part)
    }
    return true
  }

  /** Gives all of it back; may be called more than once. */
  free(): void {
    for (const part of this.#parts.splice(0)) this.#room.remove(part)
  }

  /** Somebody with less needs the space. */
  yield(): void {
    this.free()
    this.#onYield()
  }
}

type Part = { readonly lot: HeldLot }

function dropPart(_depth: number, { lot }: Part): void {
  lot.yield()
}

export class HeldRoom {
  readonly #parts: FairPool<Part>

  constructor(bytes = roomBytesMax) {
    this.#parts = new FairPool({ limit: Math.floor(bytes / partBytes), yields: 'newest' })
  }

  /** Bytes that are taken, in whole parts. */
  get bytes(): number {
    return this.#parts.size * partBytes
  }

  /**
   * @param path whose webhook it is, the larger holder first: tunnel, network, address
   * @param onYield called when it has to go; its space is free by then
   */
  lot(path: readonly string[], onYield: () => void): HeldLot {
    return new HeldLot(this.#parts, path, onYield)
  }
}
