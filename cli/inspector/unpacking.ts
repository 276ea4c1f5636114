/**
 * Unpacks compressed messages of WebSockets (permessage-deflate, RFC 7692) behind the connection, on zlib's threads.
 * A message may refer to the 32 KiB before it, so each direction keeps that much, and its messages are unpacked in
 * their order. Strangers choose what comes out of a kilobyte, so one message is unpacked at a time for the whole agent,
 * sockets take turns, and what waits and what comes out is bounded. What is given up shows as compressed.
 */
import { Buffer } from 'node:buffer'
import { createInflateRaw, constants as zlib } from 'node:zlib'
import type { InspectedFrame } from '@porttunneler/shared/api/schemas/inspection'
import { frameTextMax, type Room } from './frame-log.ts'
import { contentOf, type SocketMessage } from './web-socket.ts'

/** What a message may refer to (RFC 7692, 7.1.2), kept for each direction. */
const windowBytes = 32_768
/** Enough for nearly all; of a longer one nobody would read more, but what follows may refer to its end. */
const unpackedBytesMax = 1_000_000
/** What may wait of one socket; a message alone has at most half of it (web-socket.ts). */
const waitingBytesMax = 256_000
/** Sockets with something to unpack. More of them show their messages as compressed. */
const lanesMax = 32
/** Long messages that are still coming, of all sockets; with those that wait 16 MB, beside the ring. */
const comingBytesMax = 8_000_000
/** The object around a message. */
const messageBytes = 200
/** A sender leaves it out (RFC 7692, 7.2.1). */
const tail = Buffer.from([0, 0, 0xff, 0xff])
const none = Buffer.alloc(0)

type From = 'visitor' | 'upstream'
type Frame = Omit<InspectedFrame, 'n'>
type Waiting = { readonly from: From; readonly at: number; readonly message: SocketMessage }

/** What was agreed for one direction; `window`: the end of what was unpacked, if messages may refer to it. */
type Side = {
  readonly isChained: boolean
  window: Buffer
  isLost: boolean
  /** What its coming message has of `comingBytesMax`. */
  coming: number
}

/**
 * What both ends have agreed about compression.
 * @param values of Sec-WebSocket-Extensions in the answer
 * @returns whether messages of each side may refer to earlier ones; undefined: none is compressed in a way known here
 */
export function deflateOf(values: readonly string[]): Readonly<Record<From, boolean>> | undefined {
  const [value = '', ...more] = values
  const [name, ...parameters] = value.split(';').map((part) => part.trim().toLowerCase())
  // Another extension may have changed the bytes behind or before this one.
  if (more.length > 0 || value.includes(',') || name !== 'permessage-deflate') return undefined
  const known =
    /^(?:server_no_context_takeover|client_no_context_takeover|(?:server|client)_max_window_bits(?:="?\d+"?)?)$/
  if (!parameters.every((one) => known.test(one))) return undefined
  return {
    visitor: !parameters.includes('client_no_context_takeover'),
    upstream: !parameters.includes('server_no_context_takeover'),
  }
}

/** Whose turn it is, for all WebSockets of an agent. */
export class Unpacking {
  readonly #due = new Set<Lane>()
  #isBusy = false
  #coming = 0

  /** Takes space for a message that is coming; a negative number gives it back. @returns false: there is none */
  keep(bytes: number): boolean {
    if (bytes > 0 && this.#coming + bytes > comingBytesMax) return false
    this.#coming += bytes
    return true
  }

  /** @returns false if too many wait already */
  enter(lane: Lane): boolean {
    if (!this.#due.has(lane) && this.#due.size >= lanesMax) return false
    this.#due.add(lane)
    if (!this.#isBusy) void this.#run()
    return true
  }

  async #run(): Promise<void> {
    this.#isBusy = true
    for (let [lane] = this.#due; lane; [lane] = this.#due) {
      this.#due.delete(lane)
      await lane.step().catch(() => lane.giveUp())
      if (lane.isWaiting) this.#due.add(lane)
    }
    this.#isBusy = false
  }
}

export type LaneOptions = {
  readonly unpacking: Unpacking
  /** Undefined: nothing is unpacked. */
  readonly deflate: Readonly<Record<From, boolean>> | undefined
  /** For the ends of earlier messages. */
  readonly room: Room
  /** Somebody may still look at the messages. */
  isKept(): boolean
  now(): number
  onFrame(frame: Frame): void
}

/** The messages of one WebSocket, in the order in which they came. */
export class Lane {
  readonly #options: LaneOptions
  readonly #sides: Readonly<Record<From, Side>>
  /** What the windows take of the ring. */
  readonly #charged: number
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #hasEnded = false
  #isForgotten = false

  constructor(options: LaneOptions) {
    this.#options = options
    const { deflate, room } = options
    const side = (isChained = false): Side => ({ isChained, window: none, isLost: !deflate, coming: 0 })
    this.#sides = { visitor: side(deflate?.visitor), upstream: side(deflate?.upstream) }
    const chained = Object.values(this.#sides).filter(({ isChained }) => isChained)
    const wanted = chained.length * windowBytes
    const hasRoom = wanted === 0 || room.take(wanted)
    this.#charged = hasRoom ? wanted : 0
    if (!hasRoom) for (const one of chained) one.isLost = true
  }

  /** Whether so much more of a compressed message, which is coming, may be kept. */
  mayKeep(from: From, bytes: number): boolean {
    const side = this.#sides[from]
    if (side.isLost || !this.#options.unpacking.keep(bytes)) return false
    side.coming += bytes
    return true
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  take(from: From, message: SocketMessage): void {
    const { unpacking, now, isKept } = this.#options
    if (message.isPacked) this.#hasCome(this.#sides[from])
    if (!isKept()) {
      this.#forget()
      return
    }
    const one = { from, at: now(), message }
    // One at a time is unpacked, and what came behind it waits for it.
    if (!this.isWaiting && message.packed === undefined) {
      this.#tell(one)
      return
    }
    this.#waiting.push(one)
    this.#waitingBytes += sizeOf(message)
    if (this.#waitingBytes > waitingBytesMax || !unpacking.enter(this)) this.giveUp()
  }

  /** The connection is over; what waits is still unpacked. */
  end(): void {
    this.#hasEnded = true
    for (const side of Object.values(this.#sides)) this.#hasCome(side)
    if (!this.isWaiting) this.#forget()
  }

  /** Unpacks the first that waits, and tells of it and of those behind it that are as they came. */
  async step(): Promise<void> {
    const first = this.#waiting[0]
    if (!first) return
    const { packed } = first.message
    const side = this.#sides[first.from]
    const unpacked = packed && !side.isLost ? await unpack(packed, side) : undefined
    // Meanwhile it may have been told as it came.
    if (this.#waiting[0] !== first) return
    this.#shift()
    this.#tell(first, unpacked)
    while (this.#waiting[0] && this.#waiting[0].message.packed === undefined) this.#tell(this.#shift())
    if (this.#hasEnded && !this.isWaiting) this.#forget()
  }

  #shift(): Waiting {
    const [first] = this.#waiting.splice(0, 1) as [Waiting]
    this.#waitingBytes -= sizeOf(first.message)
    return first
  }

  #tell({ from, at, message: { packed, ...plain } }: Waiting, unpacked?: Unpacked): void {
    const side = this.#sides[from]
    // Later ones may refer to what nobody has unpacked.
    if (plain.isPacked && side.isChained && !unpacked?.isWhole) side.isLost = true
    const shown = unpacked && contentOf({ kind: plain.kind, data: unpacked.head, bytes: unpacked.bytes })
    this.#options.onFrame({ from, at, ...(shown ? { ...shown, packedBytes: plain.bytes } : plain) })
  }

  /** Tells of what waits as it came. */
  giveUp(): void {
    this.#waitingBytes = 0
    for (const one of this.#waiting.splice(0)) this.#tell(one)
  }

  #hasCome(side: Side): void {
    this.#options.unpacking.keep(-side.coming)
    side.coming = 0
  }

  #forget(): void {
    this.#waiting = []
    this.#waitingBytes = 0
    for (const side of Object.values(this.#sides)) {
      side.isLost = true
      side.window = none
    }
    if (this.#charged > 0 && !this.#isForgotten) this.#options.room.give(this.#charged)
    this.#isForgotten = true
  }
}

type Unpacked = {
  /** The beginning, as much as is shown. */
  readonly head: Buffer
  readonly bytes: number
  /** All of it was unpacked. */
  readonly isWhole: boolean
}

/** Never rejects. What is not deflate at all unpacks to nothing. */
function unpack(packed: Buffer, side: Side): Promise<Unpacked | undefined> {
  const { promise, resolve } = Promise.withResolvers<Unpacked | undefined>()
  const decoder = createInflateRaw({
    finishFlush: zlib.Z_SYNC_FLUSH,
    ...(side.window.length > 0 && { dictionary: side.window }),
  })
  const head: Buffer[] = []
  let ends = [side.window]
  let bytes = 0
  const finish = (isWhole: boolean) => {
    decoder.destroy()
    if (side.isChained && isWhole) side.window = lastOf(ends)
    const shown = Buffer.concat(head).subarray(0, frameTextMax)
    resolve({ head: Buffer.from(shown), bytes, isWhole })
  }
  decoder.on('data', (part: Buffer) => {
    if (bytes < frameTextMax) head.push(part)
    bytes += part.length
    ends.push(part)
    if (ends.length > 8) ends = [lastOf(ends)]
    if (bytes > unpackedBytesMax) finish(false)
  })
  decoder.on('end', () => finish(true))
  decoder.on('error', () => finish(false))
  decoder.write(packed)
  decoder.end(tail)
  return promise
}

/** A copy, so that nothing larger stays behind it. */
function lastOf(parts: readonly Buffer[]): Buffer {
  const all = Buffer.concat(parts)
  return Buffer.from(all.subarray(Math.max(0, all.length - windowBytes)))
}

function sizeOf({ packed, text }: SocketMessage): number {
  return messageBytes + (packed?.length ?? 0) + 2 * text.length
}
