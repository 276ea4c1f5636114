/**
 * Last words: what a peer sent before its connection broke is read, and what was written to a peer arrives before its
 * connection is reset. Node does neither: an error destroys a socket with all unread bytes, also when only a write
 * failed, and a reset drops bytes that Node and the kernel have not sent.
 */
import { Socket } from 'node:net'
import { type Clock, systemClock, type Timer } from '../base/clock.ts'
import { limits } from '../protocol/limits.ts'
import { unacknowledgedBytes } from './kernel-queue.ts'

/** How often a socket with unsent bytes is checked. */
const lookMs = 20
/** Where the system does not tell what is on its way, the peer has this long after the last write. */
const blindMs = 1_000
/** The queue of a socket has 32 bits. */
const kernelBytesMax = 2 ** 32

type Written = (error?: Error | null) => void
type Heard = Socket & { [hearingOf]: Hearing }
const hearingOf = Symbol('hearing')

function nothing(): void {}

/** A socket that is read to its end. */
export class Hearing {
  readonly #socket: Socket
  readonly #clock: Clock
  #timer: Timer | undefined
  /** The first failure of a write. */
  failure: NodeJS.ErrnoException | undefined
  /** Node's callback of the present write: there is one at a time. */
  written: Written = nothing

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
  }

  /**
   * Whether an end that is read now is not the peer's: Linux shows a reset as an end when a write has taken the error.
   * If the peer had ended its direction before, that error is EPIPE and the end is its own.
   */
  get isCutShort(): boolean {
    return this.failure !== undefined && this.failure.code !== 'EPIPE'
  }

  readonly afterWrite: Written = (error) => {
    const isHeardOut = error && !this.#socket.destroyed
    if (isHeardOut) this.#fail(error)
    this.written(isHeardOut ? null : error)
  }

  #fail(error: Error): void {
    const socket = this.#socket
    if (this.failure) return
    this.failure = error
    if (socket.readableEnded) {
      socket.destroy(error)
      return
    }
    socket.once('end', () => socket.destroy(error))
    let read = socket.bytesRead
    this.#timer = this.#clock.every(limits.lastWordsMs, () => {
      if (read === socket.bytesRead) socket.destroy(error)
      read = socket.bytesRead
    })
    socket.once('close', () => this.#timer?.clear())
  }
}

/**
 * Has `socket` read to its end or to its read error, whatever a write reports. After a failed write it drops what it is
 * given. When everything is read, or nothing came for `limits.lastWordsMs`, it is destroyed with that failure. Bytes
 * that Node holds when a read fails are emitted as 'data' before the error.
 */
export function hearOut(socket: Socket, clock: Clock): Hearing {
  const hearing = new Hearing(socket, clock)
  const heard = socket as Heard
  // One by one: V8 compiles these to plain stores, and `Object.assign` took 3 us of each connection.
  heard[hearingOf] = hearing
  heard._write = write
  heard._writev = writev
  heard.destroy = destroy
  return hearing
}

function write(this: Heard, chunk: unknown, encoding: BufferEncoding, callback: Written): void {
  const hearing = this[hearingOf]
  hearing.written = callback
  if (hearing.failure) callback()
  else Socket.prototype._write.call(this, chunk, encoding, hearing.afterWrite)
}

function writev(
  this: Heard,
  chunks: { chunk: unknown; encoding: BufferEncoding }[],
  callback: Written,
): void {
  const hearing = this[hearingOf]
  hearing.written = callback
  if (hearing.failure) callback()
  else Socket.prototype._writev?.call(this, chunks, hearing.afterWrite)
}

function destroy(this: Heard, error?: Error): Heard {
  if (error && !this.destroyed) while (this.readableLength > 0 && this.read() !== null);
  return Object.getPrototypeOf(this).destroy.call(this, error)
}

/** Sockets that end when their peer has everything that was written to them. */
const leaving = new WeakSet<Socket>()

/**
 * Resets the connection when its peer has everything that was written to it, or has taken nothing of it for
 * `limits.lastWordsMs`. Bytes that the peer sends meanwhile are read; the caller should drop them. `raw`: the TCP
 * socket below TLS, because only it can be reset.
 */
export function resetBehind(socket: Socket, clock: Clock, raw?: Socket): void {
  if (leaving.has(socket) || socket.destroyed) return
  if (socket.bytesWritten === 0) abort(socket, raw)
  else whenHeard(socket, { clock, raw }, () => abort(socket, raw))
}

/** The same for an orderly end, after which the peer may still send. */
export function endBehind(socket: Socket, clock: Clock, raw?: Socket): void {
  if (leaving.has(socket) || socket.destroyed) return
  socket.end()
  whenHeard(socket, { clock, raw }, () => socket.destroy())
}

type Below = { readonly clock: Clock; readonly raw: Socket | undefined }

function whenHeard(socket: Socket, { clock, raw }: Below, then: () => void): void {
  leaving.add(socket)
  if (raw) leaving.add(raw)
  socket.resume()
  let left = Number.POSITIVE_INFINITY
  let movedMs = clock.monotonic()
  let isLooking = false
  const look = async () => {
    if (isLooking || socket.destroyed) return
    isLooking = true
    // As long as Node holds some of it, the kernel is full.
    const held = socket.writableLength
    const onWay = held > 0 ? 0 : await unacknowledgedBytes(raw ?? socket)
    isLooking = false
    const nowMs = clock.monotonic()
    // Bytes in Node count as more than a kernel can hold.
    const now = held > 0 ? kernelBytesMax + held : (onWay ?? 0)
    if (now < left) movedMs = nowMs
    left = now
    const stillMs = nowMs - movedMs
    const isHeard = held === 0 && (onWay === undefined ? stillMs >= blindMs : onWay === 0)
    if (isHeard || stillMs >= limits.lastWordsMs) then()
  }
  // The kernel uses no other clock.
  const timer = systemClock.every(lookMs, () => void look())
  socket.once('close', () => timer.clear())
  void look()
}

/** Ends a connection by RST at once, so that the peer learns that the end was not orderly. */
export function abort(socket: Socket, raw?: Socket): void {
  if (!raw) socket.resetAndDestroy()
  else {
    raw.resetAndDestroy()
    socket.destroy()
  }
}
