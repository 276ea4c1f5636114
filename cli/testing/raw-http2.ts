/** An HTTP/2 server that sends whatever frames a test wants, allowed or not (RFC 9113 section 4). */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import { http2Rig, type Rig } from './http2-rig.ts'

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
  altSvc: 10,
  origin: 12,
  priorityUpdate: 16,
} as const
export const frameFlag = { endStream: 1, ack: 1, endHeaders: 4 } as const

export type Frame = {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export type RawPeer = {
  /** Writes a frame. `payload` may be text. */
  send(type: number, flags: number, stream: number, payload?: Buffer | string): void
  readonly socket: Socket
}

const prefaceBytes = 24
const headerBytes = 9

/** A frame as it goes over the line. */
export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const head = Buffer.alloc(headerBytes)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

/** Fields as literals without indexing or Huffman code (RFC 7541 section 6.2.2). */
export function fieldBlock(...pairs: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    pairs.flat().flatMap((text, at) => {
      const bytes = Buffer.from(text, 'latin1')
      return [...(at % 2 === 0 ? [Buffer.of(0)] : []), lengthOf(bytes.length), bytes]
    }),
  )
}

/** A number with a prefix of 7 bits (RFC 7541 section 5.1). */
function lengthOf(length: number): Buffer {
  if (length < 127) return Buffer.of(length)
  const bytes = [127]
  let left = length - 127
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128)
  return Buffer.of(...bytes, left)
}

/**
 * Listens, sends `greeting` to each connection, and calls `onFrame` for each frame from there. It answers SETTINGS.
 */
async function rawHttp2(
  onFrame: (frame: Frame, peer: RawPeer) => void,
  greeting: Buffer = frame(frameType.settings, 0, 0),
): Promise<{
  readonly port: number
  /** How many there were, and how many of them have ended. */
  readonly connections: () => number
  readonly ended: () => number
  close(): void
}> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.write(greeting)
    const peer: RawPeer = { socket, send: (...parts) => void socket.write(frame(...parts)) }
    let bytes = Buffer.alloc(0)
    let left = prefaceBytes
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const skipped = Math.min(left, bytes.length)
      left -= skipped
      bytes = bytes.subarray(skipped)
      while (bytes.length >= headerBytes) {
        const end = headerBytes + bytes.readUIntBE(0, 3)
        if (bytes.length < end) return
        const [type = 0, flags = 0] = bytes.subarray(3, 5)
        const one = { type, flags, stream: bytes.readUInt32BE(5), payload: bytes.subarray(headerBytes, end) }
        bytes = bytes.subarray(end)
        if (type === frameType.settings && (flags & frameFlag.ack) === 0)
          peer.send(frameType.settings, frameFlag.ack, 0)
        onFrame(one, peer)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    ended: () => connections - sockets.size,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** The beginning of an answer. */
export const ok = fieldBlock([':status', '200'])
/** What a visitor asks, as the relay sends it. */
export const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'

/** Sends a frame again and again, no faster than the agent takes it, so that only the agent's memory grows. */
export async function flood({ socket }: RawPeer, one: Buffer, count: number): Promise<void> {
  const times = Math.ceil(65_536 / one.length)
  const many = Buffer.concat(Array<Buffer>(times).fill(one))
  for (let sent = 0; sent < count && socket.writable; sent += times)
    if (!socket.write(many.subarray(0, one.length * Math.min(times, count - sent)))) await drained(socket)
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('drain', resolve).once('close', () => resolve()))
}

/** The code of a failure, as in RST_STREAM. */
export const errorCode = (number: number): Buffer => Buffer.of(0, 0, 0, number)

/** A SETTINGS frame; each pair is an id and a value. */
export function settingsFrame(...pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6)
  for (const [at, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, at * 6)
    payload.writeUInt32BE(value, at * 6 + 2)
  }
  return frame(frameType.settings, 0, 0, payload)
}

export type RawAnswer = (peer: RawPeer, stream: number, request: Frame) => unknown

/** A tunnel to an upstream that answers the head of each request with `answer`. */
export async function rawRig(
  answer: RawAnswer,
  {
    greeting,
    clock,
    onFrame,
  }: { greeting?: Buffer | undefined; clock?: Clock; onFrame?: (frame: Frame) => void } = {},
): Promise<Rig & { connections: () => number; ended: () => number; close(): void }> {
  const upstream = await rawHttp2((one, peer) => {
    onFrame?.(one)
    if (one.type === frameType.headers) answer(peer, one.stream, one)
  }, greeting)
  const rig = http2Rig({ upstream: { host: '127.0.0.1', port: upstream.port } }, clock)
  const close = () => {
    rig.desk.close()
    upstream.close()
  }
  return { ...rig, connections: upstream.connections, ended: upstream.ended, close }
}

/** Each step lets the sockets have their turn. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}
