/**
 * Reads the frames of one direction of a WebSocket as they pass (RFC 6455 section 5), and reports messages: fragments
 * are joined, their beginning alone is kept. It never fails: what is no WebSocket ends the reading.
 */
import { Buffer } from 'node:buffer'
import type { InspectedFrame } from '@porttunneler/shared/api/schemas/inspection'
import { frameTextMax } from './frame-log.ts'
import { KeptBytes } from './kept-bytes.ts'

export type SocketMessage = Pick<InspectedFrame, 'kind' | 'bytes' | 'text' | 'isCut' | 'isPacked'> & {
  /** All bytes of a compressed message, if they were few enough and somebody can unpack them (unpacking.ts). */
  readonly packed?: Buffer
}

const headBytesMax = 14
/** Longer compressed messages are not unpacked. */
const packedBytesMax = 128_000
const always = () => true
const kinds: Readonly<Record<number, InspectedFrame['kind']>> = {
  1: 'text',
  2: 'binary',
  8: 'close',
  9: 'ping',
  10: 'pong',
}

type Frame = {
  readonly opcode: number
  readonly isLast: boolean
  readonly isPacked: boolean
  readonly mask: Buffer | undefined
  readonly length: number
  at: number
}

/** A message whose fragments are still coming. */
type Part = {
  readonly kind: InspectedFrame['kind']
  readonly isPacked: boolean
  bytes: number
  readonly kept: KeptBytes
}

export class SocketReader {
  readonly #onMessage: (message: SocketMessage) => void
  readonly #mayKeep: (bytes: number) => boolean
  #head = Buffer.alloc(0)
  #frame: Frame | undefined
  #message: Part | undefined
  /** Control frames may come between the fragments of a message. */
  #control: Part | undefined
  #isLost = false

  /** `mayKeep`: there is space for so much more of a compressed message, and somebody who can unpack it. */
  constructor(
    onMessage: (message: SocketMessage) => void,
    mayKeep: (bytes: number) => boolean = () => false,
  ) {
    this.#onMessage = onMessage
    this.#mayKeep = mayKeep
  }

  /** `bytes` stay the caller's. */
  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.#isLost; )
      at = this.#frame ? this.#readData(bytes, at, this.#frame) : this.#readHead(bytes, at)
  }

  #readHead(bytes: Buffer, start: number): number {
    const before = this.#head.length
    const head = Buffer.concat([this.#head, bytes.subarray(start, start + headBytesMax - before)])
    const size = headSize(head)
    if (size === undefined || head.length < size) {
      this.#head = head
      return bytes.length
    }
    this.#head = Buffer.alloc(0)
    this.#begin(head, size)
    return start + size - before
  }

  #begin(head: Buffer, size: number): void {
    const [first = 0, second = 0] = head
    const opcode = first & 0x0f
    const frame: Frame = {
      opcode,
      isLast: (first & 0x80) !== 0,
      isPacked: (first & 0x40) !== 0,
      mask: second & 0x80 ? head.subarray(size - 4, size) : undefined,
      length: lengthOf(head),
      at: 0,
    }
    const isControl = opcode >= 8
    const kind = kinds[opcode]
    if ((first & 0x30) !== 0 || (kind === undefined && opcode !== 0) || !Number.isSafeInteger(frame.length)) {
      this.#isLost = true
      return
    }
    const isPacked = frame.isPacked && !isControl
    const part = (): Part => ({
      kind: kind ?? 'binary',
      isPacked,
      bytes: 0,
      kept: new KeptBytes(isPacked ? packedBytesMax : frameTextMax),
    })
    if (isControl) this.#control = part()
    else if (opcode !== 0) this.#message = part()
    else this.#message ??= part()
    this.#frame = frame
    if (frame.length === 0) this.#end(frame)
  }

  #readData(bytes: Buffer, start: number, frame: Frame): number {
    const taken = Math.min(bytes.length - start, frame.length - frame.at)
    const part = frame.opcode >= 8 ? this.#control : this.#message
    if (part) this.#keep(part, bytes.subarray(start, start + taken), frame)
    frame.at += taken
    if (frame.at === frame.length) this.#end(frame)
    return start + taken
  }

  #keep(part: Part, bytes: Buffer, frame: Frame): void {
    const { kept, isPacked } = part
    const isGapless = kept.length === part.bytes
    part.bytes += bytes.length
    const room = isPacked ? packedBytesMax : frameTextMax
    // Nobody can unpack what has a gap.
    if (isPacked && (!isGapless || part.bytes > room)) kept.drop()
    else kept.append(unmasked(bytes, frame, room - kept.length), isPacked ? this.#mayKeep : always)
  }

  #end(frame: Frame): void {
    this.#frame = undefined
    if (frame.opcode >= 8) {
      if (this.#control) this.#onMessage(messageOf(this.#control))
      this.#control = undefined
    } else if (frame.isLast) {
      if (this.#message) this.#onMessage(messageOf(this.#message))
      this.#message = undefined
    }
  }
}

function headSize(head: Buffer): number | undefined {
  const second = head[1]
  if (second === undefined) return undefined
  const short = second & 0x7f
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (second & 0x80 ? 4 : 0)
}

function lengthOf(head: Buffer): number {
  const short = (head[1] ?? 0) & 0x7f
  if (short === 126) return head.readUInt16BE(2)
  return short === 127 ? Number(head.readBigUInt64BE(2)) : short
}

/** A copy of at most `max` bytes without the mask of the visitor's side. */
function unmasked(bytes: Buffer, { mask, at }: Frame, max: number): Buffer {
  const kept = Buffer.from(bytes.subarray(0, Math.max(0, max)))
  if (mask) for (let i = 0; i < kept.length; i++) kept[i] = (kept[i] ?? 0) ^ (mask[(at + i) & 3] ?? 0)
  return kept
}

function messageOf({ kind, isPacked, bytes, kept }: Part): SocketMessage {
  if (!isPacked) return contentOf({ kind, data: kept.bytes, bytes })
  const isWhole = bytes > 0 && kept.length === bytes
  return { kind, bytes, text: '', isCut: true, isPacked, ...(isWhole && { packed: kept.bytes }) }
}

/** A message as it is shown. @param message data: its beginning; bytes: its length */
export function contentOf({
  kind,
  data,
  bytes,
}: {
  readonly kind: InspectedFrame['kind']
  readonly data: Buffer
  readonly bytes: number
}): SocketMessage {
  const isText = kind === 'text'
  return {
    kind,
    bytes,
    text: isText ? data.toString('utf8') : kind === 'close' ? closeText(data) : hexOf(data),
    isCut: data.length < bytes || (!isText && data.length > hexBytesMax),
  }
}

/** The beginning is enough to know bytes by that nobody reads as text. */
const hexBytesMax = 1_024

function hexOf(bytes: Buffer): string {
  return bytes.toString('hex', 0, hexBytesMax)
}

function closeText(bytes: Buffer): string {
  return bytes.length < 2 ? '' : `${bytes.readUInt16BE(0)} ${bytes.toString('utf8', 2)}`.trim()
}
