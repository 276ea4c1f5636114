/** The newest messages of a WebSocket, or events of a stream of them; older ones are dropped, and counted. */
import type { InspectedFrame } from '@porttunneler/shared/api/schemas/inspection'

const framesMax = 1_000
/** What is kept of one message, and of all of one request. */
export const frameTextMax = 16_384
const logBytesMax = 1_000_000
/** The object around a text. */
const frameBytes = 200

export type Room = { take(bytes: number): boolean; give(bytes: number): void }

export class FrameLog {
  readonly #room: Room
  #frames: InspectedFrame[] = []
  #bytes = 0
  #total = 0

  constructor(room: Room) {
    this.#room = room
  }

  get total(): number {
    return this.#total
  }

  add(frame: Omit<InspectedFrame, 'n'>): void {
    this.#total += 1
    const size = sizeOf(frame)
    while (this.#frames.length >= framesMax || this.#bytes + size > logBytesMax) this.#shift()
    if (!this.#room.take(size)) return
    this.#bytes += size
    this.#frames.push({ n: this.#total, ...frame })
  }

  /** Those behind `after`, oldest first. */
  list(after: number, limit: number): readonly InspectedFrame[] {
    const found = this.#frames.filter(({ n }) => n > after)
    return found.slice(Math.max(0, found.length - limit))
  }

  drop(): void {
    this.#frames = []
    this.#bytes = 0
  }

  #shift(): void {
    const first = this.#frames.shift()
    if (!first) return
    const size = sizeOf(first)
    this.#bytes -= size
    this.#room.give(size)
  }
}

function sizeOf({ text }: Pick<InspectedFrame, 'text'>): number {
  return frameBytes + 2 * text.length
}
