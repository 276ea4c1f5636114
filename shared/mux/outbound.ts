/**
 * The sending half of a stream: what waits, what is on its way and on which carrier, what the other side has granted
 * and used (rules 4 to 7, 14). Offsets: `una` <= `nxt` <= `edge`; FIN takes the offset after the last byte and none of
 * the window. Everything in [una, nxt) is kept until the other side has used it, so that a lost carrier costs only the
 * time to send it again.
 */
import { limits } from '../protocol/limits.ts'
import type { Budget } from './budget.ts'
import { Kept } from './kept.ts'
import { append, isFullBlock, mayJoin, roomyBlock, smallBytes } from './pieces.ts'
import { type Outlet, type Ride, Rides } from './rides.ts'
import type { Slab, Slabs } from './slab.ts'

/** Bytes of the stream from offset `from` on: in a slab that is held, or in a buffer of their own. */
type Piece = {
  from: number
  length: number
  memory: Buffer
  at: number
  readonly slab: Slab | undefined
  /** undefined: it waits, for the first time or to be sent again, or it has arrived. */
  ride: Ride | undefined
}

export class Outbound {
  /** The other side's local socket has used all bytes below it. */
  una = 0
  /** The next byte that was never sent. */
  nxt = 0
  /** The first byte that may not be sent yet. */
  edge: number
  /** Bytes that were never sent. */
  waitingBytes = 0
  /** The memory for [una, nxt): the other side's window never decides how much this side keeps. */
  readonly #kept: Kept
  /** For copies of waiting bytes: apart from the frames, which a turn writes in one run. */
  readonly #slabs: Slabs
  /** There was no memory to keep more; an acknowledgement will free some. */
  isStarved = false
  #waiting: Piece[] = []
  /** The last waiting piece still belongs to the caller of `push`. */
  #isBorrowed = false
  /** In order of offset; the first `#sentFrom` are already used and only not yet cut off. */
  #sent: Piece[] = []
  #sentFrom = 0
  /** Pieces of `#sent` whose carrier was lost and that the other side does not have, from `#againFrom` on. */
  #again: Piece[] = []
  #againFrom = 0
  readonly #rides = new Rides()
  isEnding = false
  isFinSent = false
  /** undefined: FIN was never sent, is to be sent again, or was acknowledged. */
  #finRide: Ride | undefined

  constructor(edge: number, budget: Budget, slabs: Slabs) {
    this.edge = Math.min(edge, limits.windowBytesMax)
    this.#kept = new Kept(budget)
    this.#slabs = slabs
  }

  /** The caller keeps `chunk`: `pump` sends it, or `own` copies the rest of it. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.own()
    this.#waiting.push(ownPiece(chunk))
    this.#isBorrowed = true
    this.waitingBytes += chunk.length
  }

  /** Copies waiting bytes that are in foreign memory. */
  own(): void {
    const last = this.#waiting.at(-1)
    if (!this.#isBorrowed || !last) return
    this.#isBorrowed = false
    this.#waiting.pop()
    const bytes = last.memory.subarray(last.at, last.at + last.length)
    if (!joined(this.#waiting.at(-1), bytes)) this.#waiting.push(copyOf(bytes, this.#slabs))
  }

  /** There may be memory again to keep what is sent. */
  feed(): void {
    this.isStarved = false
  }

  /** No byte follows what was pushed. */
  finish(): void {
    this.isEnding = true
  }

  /** Counted in the budget. */
  get keptBytes(): number {
    return this.#kept.bytes
  }

  /** Whether something may go now. */
  get canPump(): boolean {
    if (this.#mustRepeat) return true
    if (this.waitingBytes > 0) return this.nxt < this.edge && !this.isStarved
    return this.isEnding && this.#finRide === undefined && !this.isDone
  }

  /** The other side has used FIN and everything before it. */
  get isDone(): boolean {
    return this.isFinSent && this.una === this.nxt + 1
  }

  get #mustRepeat(): boolean {
    return this.#againFrom < this.#again.length
  }

  /** The other side has used everything that was pushed, and FIN if there is one. */
  get isUsed(): boolean {
    return this.waitingBytes === 0 && (this.isEnding ? this.isDone : this.una >= this.nxt)
  }

  /** Sends up to `bytesMax` bytes, repeats first (and FIN after the last one). @returns how many went */
  pump(carrier: Outlet, stream: number, bytesMax: number): number {
    let sent = this.#mustRepeat ? this.#repeat(carrier, stream, bytesMax) : 0
    let left = Math.min(bytesMax - sent, this.edge - this.nxt)
    while (left > 0 && this.waitingBytes > 0) {
      const wanted = Math.min(left, limits.dataBytesMax)
      const allowed = this.#kept.take(wanted, this.nxt === this.una)
      this.isStarved = allowed === 0
      if (this.isStarved) break
      const length = this.#sendNext(carrier, stream, allowed)
      this.#kept.release(allowed - length)
      sent += length
      left -= length
    }
    if (
      this.isEnding &&
      this.#finRide === undefined &&
      this.waitingBytes === 0 &&
      !this.#mustRepeat &&
      !this.isDone
    ) {
      this.isFinSent = true
      this.#finRide = this.#rides.board(carrier)
      carrier.frames.sendFin(stream, this.nxt)
    }
    return sent
  }

  /**
   * Takes CREDIT or SYNC, merged by maximum, so a late one does no harm. @returns false when it claims the impossible
   */
  acknowledge(consumed: number, window: number): boolean {
    if (consumed > this.nxt + (this.isFinSent ? 1 : 0)) return false
    const edge = consumed + Math.min(window, limits.windowBytesMax)
    if (edge > this.edge) this.edge = edge
    if (consumed <= this.una) return true
    this.#kept.release(Math.min(consumed, this.nxt) - this.una)
    this.una = consumed
    while (this.#sentFrom < this.#sent.length) {
      const first = this.#sent[this.#sentFrom] as Piece
      if (first.from + first.length > consumed) break
      // The bytes are free at once; the array is cut when it is worth it.
      first.slab?.release()
      this.#rides.leave(first.ride)
      this.#sent[this.#sentFrom] = usedPiece
      this.#sentFrom += 1
    }
    this.#cut()
    if (consumed > this.nxt) {
      this.#rides.leave(this.#finRide)
      this.#finRide = undefined
    }
    this.#skipUsed()
    return true
  }

  /**
   * SYNC said that all bytes below `next` have arrived: those above it on a lost carrier are sent again. Pieces on live
   * carriers stay; they will arrive. It checks the pieces only when some are on a lost carrier, and once: no piece is
   * left on it then, so a peer that sends SYNC often pays for each check with a carrier.
   */
  repeatLost(next: number, isLost: (carrier: number) => boolean): void {
    const lost = this.#rides.lost(isLost)
    if (lost.length === 0) return
    const from = Math.max(next, this.una)
    for (let at = this.#sentFrom; at < this.#sent.length; at++) {
      const piece = this.#sent[at] as Piece
      if (piece.ride === undefined || !lost.includes(piece.ride)) continue
      this.#rides.leave(piece.ride)
      piece.ride = undefined
      if (piece.from + piece.length <= from) continue
      if (piece.from < from) {
        const known = from - piece.from
        piece.from = from
        piece.at += known
        piece.length -= known
      }
      this.#again.push(piece)
    }
    if (this.#finRide && lost.includes(this.#finRide)) {
      this.#rides.leave(this.#finRide)
      this.#finRide = undefined
    }
  }

  /** OPEN goes out again, and so does everything after it, on its carrier. */
  repeatAll(): void {
    this.repeatLost(this.una, () => true)
  }

  /** How many live carriers (by `isLive`) hold unacknowledged pieces, `withCarrier` included. */
  liveCarriers(withCarrier: number, isLive: (carrier: number) => boolean): number {
    return this.#rides.live(withCarrier, isLive)
  }

  /** Drops everything. */
  clear(): void {
    this.#kept.clear()
    for (const { slab } of this.#waiting) slab?.release()
    for (const { slab } of this.#sent) slab?.release()
    this.#waiting.length = 0
    this.#isBorrowed = false
    this.waitingBytes = 0
    this.#sent.length = 0
    this.#sentFrom = 0
    this.#again.length = 0
    this.#againFrom = 0
    this.#rides.clear()
    this.#finRide = undefined
  }

  #repeat(carrier: Outlet, stream: number, bytesMax: number): number {
    let sent = 0
    for (; this.#mustRepeat && sent < bytesMax; this.#againFrom++) {
      const piece = this.#again[this.#againFrom] as Piece
      const { from, memory, at, length } = piece
      if (from + length <= this.una) continue
      carrier.frames.sendData(stream, from, memory.subarray(at, at + length))
      piece.ride = this.#rides.board(carrier)
      sent += length
    }
    this.#skipUsed()
    return sent
  }

  /** Used bytes need not be sent again. */
  #skipUsed(): void {
    while (this.#mustRepeat) {
      const { from, length } = this.#again[this.#againFrom] as Piece
      if (from + length > this.una) return
      this.#againFrom += 1
    }
    if (this.#againFrom === 0) return
    this.#again = []
    this.#againFrom = 0
  }

  /** Cuts the used pieces off when they are many: amortised one move a piece. */
  #cut(): void {
    if (this.#sentFrom === this.#sent.length) {
      this.#sent.length = 0
      this.#sentFrom = 0
    } else if (this.#sentFrom > 64 && this.#sentFrom * 2 > this.#sent.length) {
      this.#sent = this.#sent.slice(this.#sentFrom)
      this.#sentFrom = 0
    }
  }

  /** Sends up to `bytesMax` of the oldest waiting bytes and keeps them. @returns how many bytes went */
  #sendNext(carrier: Outlet, stream: number, bytesMax: number): number {
    const first = this.#waiting[0] as Piece
    const { memory, at, slab } = first
    const length = Math.min(bytesMax, first.length)
    const bytes = at === 0 && length === memory.length ? memory : memory.subarray(at, at + length)
    const sentAt = carrier.frames.sendData(stream, this.nxt, bytes)
    this.#keepSent(bytes, sentAt, carrier)
    this.nxt += length
    this.waitingBytes -= length
    first.at += length
    first.length -= length
    if (first.length > 0) return length
    slab?.release()
    if (this.#waiting.length > 1) this.#waiting.shift()
    else {
      this.#waiting.length = 0
      this.#isBorrowed = false
    }
    return length
  }

  /** Keeps the bytes just sent: as part of the piece before them if both are small and on the same carrier. */
  #keepSent(bytes: Buffer, sentAt: number, carrier: Outlet): void {
    let isMore = false
    if (this.#sentFrom < this.#sent.length) {
      const last = this.#sent[this.#sent.length - 1] as Piece
      if (last.ride?.carrier === carrier && joined(last, bytes)) return
      isMore = bytes.length <= smallBytes && last.slab === undefined && isFullBlock(last.length)
    }
    const piece = isMore ? ownPiece(roomyBlock(bytes)) : keep(bytes, sentAt, carrier.frames.slabs)
    piece.length = bytes.length
    piece.from = this.nxt
    piece.ride = this.#rides.board(carrier)
    this.#sent.push(piece)
  }
}

/** Appends small bytes to a small piece that has its own memory. */
function joined(last: Piece | undefined, bytes: Buffer): boolean {
  if (!last || last.slab || !mayJoin(last.at + last.length, bytes.length)) return false
  last.memory = append(last.memory, last.at + last.length, bytes)
  last.length += bytes.length
  return true
}

/** Replaces used pieces, so that their bytes are free at once. */
const usedPiece: Piece = ownPiece(Buffer.alloc(0))

function ownPiece(memory: Buffer): Piece {
  return { from: 0, length: memory.length, memory, at: 0, slab: undefined, ride: undefined }
}

/** Keeps `bytes`; a copy of them is at `at` of the current slab (-1: there is none). */
function keep(bytes: Buffer, at: number, slabs: Slabs): Piece {
  if (at < 0 || bytes.length <= smallBytes || slabs.isTight) return ownPiece(Buffer.from(bytes))
  const slab = slabs.current
  slab.hold()
  return { from: 0, length: bytes.length, memory: slab.buffer, at, slab, ride: undefined }
}

function copyOf(bytes: Buffer, slabs: Slabs): Piece {
  if (bytes.length <= smallBytes || slabs.isTight) return ownPiece(Buffer.from(bytes))
  const at = slabs.take(bytes.length)
  bytes.copy(slabs.current.buffer, at)
  return keep(bytes, at, slabs)
}
