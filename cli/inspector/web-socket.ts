/**
 * Reads the frames of one direction of a WebSocket as they pass (RFC 6455 section 5), and reports messages: fragments
 * are joined, their beginning alone is kept. It never fails: what is no WebSocket ends the reading.
 */
import { Buffer } from 'node:buffer'
import type { InspectedFrame } from '@porttunneler/shared/api/schemas/inspection'
import { frameTextMax } from './frame-log.ts'

export type SocketMessage = Pick<InspectedFrame, 'kind' | 'bytes' | 'text' | 'isCut' | 'isPacked'>

const headBytesMax = 14
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
  kept: Buffer[]
  keptBytes: number
}

export class SocketReader {
  readonly #onMessage: (message: SocketMessage) => void
  #head = Buffer.alloc(0)
  #frame: Frame | undefined
  #message: Part | undefined
  /** Control frames may come between the fragments of a message. */
  #control: Part | undefined
  #isLost = false

  constructor(onMessage: (message: SocketMessage) => void) {
    this.#onMessage = onMessage
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
    const part = (): Part => ({
      kind: kind ?? 'binary',
      isPacked: frame.isPacked,
      bytes: 0,
      kept: [],
      keptBytes: 0,
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
    if (part)
      keep(part, unmasked(bytes.subarray(start, start + taken), frame, frameTextMax - part.keptBytes), taken)
    frame.at += taken
    if (frame.at === frame.length) this.#end(frame)
    return start + taken
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

function keep(part: Part, bytes: Buffer, passed: number): void {
  part.bytes += passed
  if (bytes.length === 0) return
  part.kept.push(bytes)
  part.keptBytes += bytes.length
}

function messageOf({ kind, isPacked, bytes, kept, keptBytes }: Part): SocketMessage {
  const whole = Buffer.concat(kept)
  const isCut = keptBytes < bytes
  const isText = kind === 'text' && !isPacked
  return {
    kind,
    bytes,
    text: isText ? whole.toString('utf8') : kind === 'close' ? closeText(whole) : hexOf(whole),
    isCut: isCut || (!isText && whole.length > hexBytesMax),
    ...(isPacked && { isPacked: true }),
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
