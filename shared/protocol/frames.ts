/**
 * The wire on one screen. A frame is `type u8 · length u24 · stream u32` and then `length` bytes of payload, network
 * order. Session frames carry JSON (protocol/messages.ts); stream frames are binary because they are hot:
 *
 *   OPEN     bind u32 · window u32 · flags u8 (1 = awaits an Upgrade's answer) · time ms u48 · visitor port u16 ·
 *            local port u16 · visitor address as text, 2 to 45 bytes
 *   OPENED   connect latency ms u32
 *   DATA     offset u48 · 1 to 65,536 bytes                 FIN      offset u48 (= F, takes one unit of offset space)
 *   CREDIT   consumed u48 · window u32                      SYNC     next u48 · consumed u48 · window u32
 *   RESET    code u16: 0 = ACK, 1 = GONE, else a PT number   UPGRADED, PLAIN   empty
 *   LOST     carrier u32 · ack u8                           WANT     n u8
 *   PING, PONG   8 bytes, returned as they came             RETIRE   empty
 *
 * A side that does not know a type with the high bit set may skip it. DATA payloads are passed on in the pieces in
 * which they arrive (offsets make reassembly needless), so nothing is copied; other payloads are at most 16 KiB.
 */
import { isIP } from 'node:net'
import type { ZodType } from 'zod'
import { fail } from '../base/errors.ts'
import { limits } from './limits.ts'

export const FrameType = {
  hello: 0x01,
  welcome: 0x02,
  refuse: 0x03,
  bind: 0x04,
  unbind: 0x05,
  bound: 0x06,
  unbound: 0x07,
  goAway: 0x08,
  open: 0x10,
  opened: 0x11,
  data: 0x12,
  fin: 0x13,
  credit: 0x14,
  sync: 0x15,
  reset: 0x16,
  upgraded: 0x17,
  plain: 0x18,
  lost: 0x20,
  want: 0x21,
  retire: 0x22,
  ping: 0x23,
  pong: 0x24,
  notice: 0x89,
} as const
export type FrameType = (typeof FrameType)[keyof typeof FrameType]

/** RESET codes that are not PT numbers. */
export const resetAck = 0
export const resetGone = 1

const { headerBytes, dataBytesMax, payloadBytesMax, controlBytesMax } = limits
/** Bytes that `writeDataHead` writes. */
export const dataHeaderBytes = headerBytes + 6
const two32 = 2 ** 32
/** OPEN's payload before the address. */
const openFixedBytes = 19

type Bounds = { readonly min: number; readonly max: number }
const exactly = (bytes: number): Bounds => ({ min: bytes, max: bytes })
const json: Bounds = { min: 2, max: controlBytesMax }

/** Allowed payload lengths by type: checked before a single payload byte is looked at. */
const lengths: readonly (Bounds | undefined)[] = (() => {
  const table: (Bounds | undefined)[] = new Array(256).fill(undefined)
  for (const type of [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x89]) table[type] = json
  table[FrameType.open] = { min: openFixedBytes + 2, max: openFixedBytes + 45 }
  table[FrameType.opened] = exactly(4)
  table[FrameType.data] = { min: 7, max: payloadBytesMax }
  table[FrameType.fin] = exactly(6)
  table[FrameType.credit] = exactly(10)
  table[FrameType.sync] = exactly(16)
  table[FrameType.reset] = exactly(2)
  table[FrameType.upgraded] = exactly(0)
  table[FrameType.plain] = exactly(0)
  table[FrameType.lost] = exactly(5)
  table[FrameType.want] = exactly(1)
  table[FrameType.retire] = exactly(0)
  table[FrameType.ping] = exactly(8)
  table[FrameType.pong] = exactly(8)
  return table
})()

export type FrameHandler = {
  /** A piece of a DATA frame: `bytes` is a view of the pushed chunk and belongs to the handler. */
  onData(stream: number, offset: number, bytes: Buffer): void
  /** Any other frame: its payload is `buffer[start, start + length)` and valid only during the call. */
  onFrame(type: FrameType, stream: number, payload: Payload): void
}

/** Where a payload is in its buffer; saves a view for each frame. */
export type Payload = { readonly buffer: Buffer; readonly start: number; readonly length: number }

/**
 * Cuts a byte stream into frames, whatever pieces it comes in. Holds at most one control frame. Do not use it after a
 * throw: the session ends (rule 9).
 */
export class FrameDecoder {
  readonly #held = Buffer.allocUnsafe(dataHeaderBytes)
  #heldBytes = 0
  #control: Buffer | undefined
  #controlBytes = 0
  #type = 0
  #stream = 0
  #dataLeft = 0
  #dataOffset = 0
  #skipLeft = 0
  #length = 0
  readonly #payload = { buffer: this.#held as Buffer, start: 0, length: 0 }

  /**
   * @throws frame.too_long, frame.unknown, frame.malformed: violations by the other side
   */
  push(chunk: Buffer, handler: FrameHandler): void {
    const end = chunk.length
    let at = 0
    while (at < end) {
      if (this.#dataLeft > 0) at = this.#takeData(chunk, at, handler)
      else if (this.#control) at = this.#takeControl(chunk, at, handler)
      else if (this.#skipLeft > 0) {
        const take = Math.min(this.#skipLeft, end - at)
        this.#skipLeft -= take
        at += take
      } else at = this.#takeHead(chunk, at, handler)
    }
  }

  #takeHead(chunk: Buffer, at: number, handler: FrameHandler): number {
    if (this.#heldBytes === 0 && chunk.length - at >= headerBytes) {
      this.#readHead(chunk, at)
      return this.#begin(chunk, at + headerBytes, handler)
    }
    const take = Math.min(headerBytes - this.#heldBytes, chunk.length - at)
    chunk.copy(this.#held, this.#heldBytes, at, at + take)
    this.#heldBytes += take
    if (this.#heldBytes < headerBytes) return at + take
    this.#heldBytes = 0
    this.#readHead(this.#held, 0)
    return this.#begin(chunk, at + take, handler)
  }

  #readHead(buffer: Buffer, at: number): void {
    const first = buffer.readUInt32BE(at)
    this.#type = first >>> 24
    this.#length = first & 0xffffff
    this.#stream = buffer.readUInt32BE(at + 4)
    const bounds = lengths[this.#type]
    if (this.#length > (bounds?.max ?? payloadBytesMax)) throw fail('frame.too_long')
    if (bounds && this.#length < bounds.min) throw fail('frame.malformed')
    if (!bounds && this.#type < 0x80) throw fail('frame.unknown', `Frame type ${this.#type} is not known.`)
  }

  /** The payload starts at `at`; returns where the next unread byte is. */
  #begin(chunk: Buffer, at: number, handler: FrameHandler): number {
    if (this.#type === FrameType.data) {
      if (chunk.length - at >= 6) {
        this.#dataOffset = readU48(chunk, at)
        this.#dataLeft = this.#length - 6
        return at + 6 < chunk.length ? this.#takeData(chunk, at + 6, handler) : at + 6
      }
      this.#control = this.#held
      this.#controlBytes = 0
      return at
    }
    if (!lengths[this.#type]) {
      this.#skipLeft = this.#length
      return at
    }
    if (chunk.length - at >= this.#length) {
      this.#emit(chunk, at, handler)
      return at + this.#length
    }
    this.#control = Buffer.allocUnsafe(this.#length)
    this.#controlBytes = 0
    return at
  }

  #takeData(chunk: Buffer, at: number, handler: FrameHandler): number {
    const take = Math.min(this.#dataLeft, chunk.length - at)
    const offset = this.#dataOffset
    this.#dataLeft -= take
    this.#dataOffset += take
    handler.onData(
      this.#stream,
      offset,
      at === 0 && take === chunk.length ? chunk : chunk.subarray(at, at + take),
    )
    return at + take
  }

  /** Takes a payload (or DATA's offset) that came in pieces. */
  #takeControl(chunk: Buffer, at: number, handler: FrameHandler): number {
    const control = this.#control as Buffer
    const isOffset = this.#type === FrameType.data
    const wanted = isOffset ? 6 : this.#length
    const take = Math.min(wanted - this.#controlBytes, chunk.length - at)
    chunk.copy(control, this.#controlBytes, at, at + take)
    this.#controlBytes += take
    if (this.#controlBytes < wanted) return at + take
    this.#control = undefined
    if (isOffset) {
      this.#dataOffset = readU48(control, 0)
      this.#dataLeft = this.#length - 6
    } else this.#emit(control, 0, handler)
    return at + take
  }

  #emit(buffer: Buffer, start: number, handler: FrameHandler): void {
    this.#payload.buffer = buffer
    this.#payload.start = start
    this.#payload.length = this.#length
    handler.onFrame(this.#type as FrameType, this.#stream, this.#payload)
  }
}

/** Offsets and times are u48: exact in a double, and 256 TiB for each stream. */
export function readU48(buffer: Buffer, at: number): number {
  return buffer.readUInt16BE(at) * two32 + buffer.readUInt32BE(at + 2)
}

export function writeU48(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt16BE(Math.floor(value / two32), at)
  buffer.writeUInt32BE((value % two32) >>> 0, at + 2)
}

/** Writes a frame's 8-byte head at `at`. */
export function writeHead(
  buffer: Buffer,
  at: number,
  frame: { readonly type: FrameType; readonly length: number; readonly stream: number },
): void {
  buffer.writeUInt32BE(frame.type * 0x1000000 + frame.length, at)
  buffer.writeUInt32BE(frame.stream, at + 4)
}

/** Writes head and offset of a DATA frame of `bytes` payload bytes: 14 bytes at `at`. Hot: plain parameters. */
export function writeDataHead(
  buffer: Buffer,
  at: number,
  stream: number,
  offset: number,
  bytes: number,
): void {
  if (bytes < 1 || bytes > dataBytesMax) throw new RangeError('DATA carries 1 to 65,536 bytes')
  buffer.writeUInt32BE(FrameType.data * 0x1000000 + bytes + 6, at)
  buffer.writeUInt32BE(stream, at + 4)
  writeU48(buffer, offset, at + 8)
}

// --- Payloads --------------------------------------------------------------------------------------------------------

export type Open = {
  readonly bind: number
  /** How many bytes the agent may send at once. */
  readonly window: number
  /** The first request asks for an Upgrade: the agent replies UPGRADED or PLAIN. */
  readonly awaitsUpgrade: boolean
  /** When the visitor was accepted, ms since the epoch by the relay's clock. */
  readonly atMs: number
  readonly visitorAddress: string
  readonly visitorPort: number
  readonly localPort: number
}

export function encodeOpen(stream: number, open: Open): Buffer {
  const length = openFixedBytes + open.visitorAddress.length
  const frame = Buffer.allocUnsafe(headerBytes + length)
  writeHead(frame, 0, { type: FrameType.open, length, stream })
  frame.writeUInt32BE(open.bind, 8)
  frame.writeUInt32BE(open.window, 12)
  frame.writeUInt8(open.awaitsUpgrade ? 1 : 0, 16)
  writeU48(frame, open.atMs, 17)
  frame.writeUInt16BE(open.visitorPort, 23)
  frame.writeUInt16BE(open.localPort, 25)
  frame.write(open.visitorAddress, headerBytes + openFixedBytes, 'latin1')
  return frame
}

/** @throws frame.malformed when the address is invalid */
export function decodeOpen({ buffer, start, length }: Payload): Open {
  const visitorAddress = buffer.toString('latin1', start + openFixedBytes, start + length)
  if (isIP(visitorAddress) === 0) throw fail('frame.malformed', 'OPEN carries no IP address.')
  return {
    bind: buffer.readUInt32BE(start),
    window: buffer.readUInt32BE(start + 4),
    awaitsUpgrade: (buffer.readUInt8(start + 8) & 1) === 1,
    atMs: readU48(buffer, start + 9),
    visitorPort: buffer.readUInt16BE(start + 15),
    localPort: buffer.readUInt16BE(start + 17),
    visitorAddress,
  }
}

/** A session frame with a JSON body, ready to be written. @throws frame.too_long */
export function encodeJson(type: FrameType, body: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(body))
  if (text.length > controlBytesMax) throw fail('frame.too_long')
  const frame = Buffer.allocUnsafe(headerBytes + text.length)
  writeHead(frame, 0, { type, length: text.length, stream: 0 })
  text.copy(frame, headerBytes)
  return frame
}

/** @throws frame.malformed when it is not JSON of that shape */
export function decodeJson<T>(schema: ZodType<T>, { buffer, start, length }: Payload): T {
  try {
    return schema.parse(JSON.parse(buffer.toString('utf8', start, start + length)))
  } catch (cause) {
    throw fail('frame.malformed', undefined, { cause })
  }
}
