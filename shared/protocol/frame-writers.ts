/**
 * Writes small frames at `at` into memory that has room for them. The memory is part of what a carrier gathers, so
 * nothing is allocated for a frame. The sizes include the head.
 */
import { FrameType, writeHead, writeU48 } from './frames.ts'
import { limits } from './limits.ts'

const { headerBytes } = limits

export const frameBytes = {
  empty: headerBytes,
  fin: headerBytes + 6,
  credit: headerBytes + 10,
  sync: headerBytes + 16,
  want: headerBytes + 1,
  lost: headerBytes + 5,
  reset: headerBytes + 2,
  opened: headerBytes + 4,
  ping: headerBytes + 8,
}

/** What a stream has received and grants. */
export type Standing = { readonly next: number; readonly consumed: number; readonly window: number }

export function writeEmpty(buffer: Buffer, at: number, type: FrameType, stream: number): void {
  writeHead(buffer, at, { type, length: 0, stream })
}

export function writeFin(buffer: Buffer, at: number, stream: number, offset: number): void {
  writeHead(buffer, at, { type: FrameType.fin, length: 6, stream })
  writeU48(buffer, offset, at + headerBytes)
}

export function writeCredit(
  buffer: Buffer,
  at: number,
  stream: number,
  consumed: number,
  window: number,
): void {
  writeHead(buffer, at, { type: FrameType.credit, length: 10, stream })
  writeU48(buffer, consumed, at + headerBytes)
  buffer.writeUInt32BE(window, at + headerBytes + 6)
}

export function writeSync(buffer: Buffer, at: number, stream: number, standing: Standing): void {
  writeHead(buffer, at, { type: FrameType.sync, length: 16, stream })
  writeU48(buffer, standing.next, at + headerBytes)
  writeU48(buffer, standing.consumed, at + headerBytes + 6)
  buffer.writeUInt32BE(standing.window, at + headerBytes + 12)
}

export function writeWant(buffer: Buffer, at: number, count: number): void {
  writeHead(buffer, at, { type: FrameType.want, length: 1, stream: 0 })
  buffer.writeUInt8(Math.min(count, 255), at + headerBytes)
}

export function writeLost(buffer: Buffer, at: number, carrier: number, isAck: boolean): void {
  writeHead(buffer, at, { type: FrameType.lost, length: 5, stream: 0 })
  buffer.writeUInt32BE(carrier, at + headerBytes)
  buffer.writeUInt8(isAck ? 1 : 0, at + headerBytes + 4)
}

export function writeReset(buffer: Buffer, at: number, stream: number, code: number): void {
  writeHead(buffer, at, { type: FrameType.reset, length: 2, stream })
  buffer.writeUInt16BE(code, at + headerBytes)
}

export function writeOpened(buffer: Buffer, at: number, stream: number, connectMs: number): void {
  writeHead(buffer, at, { type: FrameType.opened, length: 4, stream })
  buffer.writeUInt32BE(Math.min(Math.round(connectMs), 0xffffffff), at + headerBytes)
}

/** The PONG returns `number`. */
export function writePing(buffer: Buffer, at: number, number: number): void {
  writeHead(buffer, at, { type: FrameType.ping, length: 8, stream: 0 })
  buffer.writeUInt32BE(0, at + headerBytes)
  buffer.writeUInt32BE(number, at + headerBytes + 4)
}

/** The number of our PING from a PONG's payload. */
export function readPong(buffer: Buffer, start: number): number {
  return buffer.readUInt32BE(start + 4)
}

/** `ping` holds the PING's payload at `start`. */
export function writePong(buffer: Buffer, at: number, ping: Buffer, start: number): void {
  writeHead(buffer, at, { type: FrameType.pong, length: 8, stream: 0 })
  ping.copy(buffer, at + headerBytes, start, start + 8)
}
