/**
 * Joins a local socket and a stream, at the relay (visitor) and at the agent (upstream) alike. Each direction ends by
 * itself (half-close), a slow side pauses the other, credit is granted when the local socket has taken the bytes.
 */
import type { Socket } from 'node:net'
import { type ErrorKey, keyOfCode } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Stream, StreamSink } from './stream.ts'
import type { Flushable, Turn } from './turn.ts'

/**
 * Stream to socket: writes gathered per turn, credit on consumption. Used alone where the other direction needs more
 * than copying (the relay's HTTP listener).
 */
export class Delivery implements Flushable {
  readonly #socket: Socket
  readonly #stream: Stream
  readonly #turn: Turn
  #isCorked = false
  #unconsumed = 0

  constructor(socket: Socket, stream: Stream, turn: Turn) {
    this.#socket = socket
    this.#stream = stream
    this.#turn = turn
    socket.on('drain', this.#onDrain)
  }

  write(bytes: Buffer): void {
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      this.#turn.add(this)
    }
    if (this.#socket.write(bytes)) this.#stream.consumed(bytes.length)
    else this.#unconsumed += bytes.length
  }

  flush(): void {
    this.#isCorked = false
    this.#socket.uncork()
  }

  /** The socket goes on without this stream. Only when all that was written is out. */
  detach(): void {
    this.#socket.off('drain', this.#onDrain)
  }

  readonly #onDrain = (): void => {
    const bytes = this.#unconsumed
    if (bytes === 0) return
    this.#unconsumed = 0
    this.#stream.consumed(bytes)
  }
}

export type SpliceOptions = {
  readonly turn: Turn
  /** The stream is reset with this when the socket fails. Default: stream.aborted. */
  readonly keyOf?: (error: Error) => ErrorKey
  /** Under TLS: the TCP socket, which alone can be reset. */
  readonly raw?: Socket
  /** Bytes of the socket that were read before. */
  readonly first?: Buffer
  /** Once, when the socket is closed. `key` says why when it was not an orderly end. */
  readonly onEnd: (key: ErrorKey | undefined) => void
}

/** The sink of a stream that is joined to `socket`. The socket must be made with `allowHalfOpen: true`. */
export class Splice implements StreamSink, Flushable {
  readonly #socket: Socket
  readonly #stream: Stream
  readonly #options: SpliceOptions
  readonly #delivery: Delivery
  #turnBytes = 0
  #isResting = false
  #isFull = false
  #sawEnd = false
  #sawFin = false
  #failure: ErrorKey | undefined

  constructor(socket: Socket, stream: Stream, options: SpliceOptions) {
    this.#socket = socket
    this.#stream = stream
    this.#options = options
    this.#delivery = new Delivery(socket, stream, options.turn)
    socket.on('data', this.#onRead)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
    if (options.first && options.first.length > 0) this.#onRead(options.first)
  }

  onData(bytes: Buffer): void {
    this.#delivery.write(bytes)
  }

  onFin(): void {
    this.#sawFin = true
    this.#socket.end()
  }

  onWritable(): void {
    this.#isFull = false
    if (!this.#isResting) this.#socket.resume()
  }

  onReset(code: number): void {
    this.#failure ??= keyOfCode(code) ?? 'stream.aborted'
    abort(this.#socket, this.#options.raw)
  }

  /** A new turn: a socket that had read its share may read again. */
  flush(): void {
    this.#turnBytes = 0
    if (!this.#isResting) return
    this.#isResting = false
    if (!this.#isFull) this.#socket.resume()
  }

  readonly #onRead = (chunk: Buffer): void => {
    if (!this.#stream.write(chunk)) {
      this.#isFull = true
      this.#socket.pause()
    }
    if (this.#turnBytes === 0) this.#options.turn.add(this)
    this.#turnBytes += chunk.length
    if (this.#turnBytes < limits.readTurnBytes || this.#isResting) return
    this.#isResting = true
    this.#socket.pause()
  }

  readonly #onEnd = (): void => {
    this.#sawEnd = true
    this.#stream.end()
  }

  readonly #onError = (error: Error): void => {
    this.#failure ??= this.#options.keyOf?.(error) ?? 'stream.aborted'
  }

  readonly #onClose = (): void => {
    if (!this.#sawEnd || !this.#sawFin) {
      this.#failure ??= 'stream.aborted'
      this.#stream.reset(this.#failure)
    }
    this.#options.onEnd(this.#failure)
  }
}

/** Ends a socket by RST, so that the peer learns that the end was not orderly. */
export function abort(socket: Socket, raw: Socket | undefined): void {
  if (!raw) socket.resetAndDestroy()
  else {
    raw.resetAndDestroy()
    socket.destroy()
  }
}
