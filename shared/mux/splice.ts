/**
 * Joins a local socket and a stream, at the relay (visitor) and at the agent (upstream) alike. Each direction ends by
 * itself (half-close), a slow side pauses the other, and credit is granted when the local socket has taken the bytes.
 */
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { type ErrorKey, keyOfCode } from '../base/errors.ts'
import { Gather } from './gather.ts'
import { abort, type Hearing, hearOut, resetBehind } from './last-words.ts'
import { readInto } from './read-into.ts'
import { type Reader, Reading } from './reading.ts'
import type { Stream } from './stream.ts'
import type { StreamSink } from './stream-sink.ts'
import type { Flushable, Turn } from './turn.ts'
import type { JointWork, JoinWork } from './work-share.ts'

/** What a socket is joined to: a stream, or something in front of one that reads what passes. */
export type SplicedStream = Pick<Stream, 'write' | 'end' | 'resetBehind' | 'consumed'>

/**
 * Stream to socket: gathers writes for each turn, and grants credit as bytes are consumed. Used alone where the other
 * direction needs more than copying (the relay's HTTP listener).
 */
export class Delivery implements Flushable {
  readonly #socket: Socket
  readonly #stream: SplicedStream
  readonly #turn: Turn
  readonly #gather: Gather
  #unconsumed = 0
  #pieces = 0

  constructor(socket: Socket, stream: SplicedStream, turn: Turn) {
    this.#socket = socket
    this.#stream = stream
    this.#turn = turn
    this.#gather = new Gather(turn.deliverySlabs)
    socket.on('drain', this.#onDrain)
    // An ended socket emits no 'drain' any more, and the bytes before its end must be credited too.
    socket.on('finish', this.#onDrain)
  }

  /** Writes a copy of `bytes` at the end of the turn. */
  write(bytes: Buffer): void {
    if (this.#gather.isEmpty) this.#turn.add(this, bytes.length)
    this.#pieces += 1
    const start = this.#gather.take(bytes.length)
    bytes.copy(this.#turn.deliverySlabs.current.buffer, start)
  }

  /** Writes what was gathered, unless the socket was ended or failed. Called by the turn. */
  flush(): number {
    if (this.#gather.isEmpty) return 0
    const pieces = this.#pieces
    this.#pieces = 0
    const bytes = this.#socket.writable ? this.#gather.writeTo(this.#socket) : this.#gather.drop()
    if (this.#socket.writableNeedDrain) this.#unconsumed += bytes
    else this.#stream.consumed(bytes)
    return pieces
  }

  /** Writes everything, full or not: then the socket ends, or gets bytes that are not the stream's. */
  finish(): void {
    this.flush()
    if (this.#socket.writable) this.#gather.writeHeld(this.#socket)
  }

  /** The socket goes on without this stream, after what was written. */
  detach(): void {
    this.finish()
    this.#onDrain()
    this.#socket.off('drain', this.#onDrain)
    this.#socket.off('finish', this.#onDrain)
  }

  readonly #onDrain = (): void => {
    const bytes = this.#unconsumed
    if (bytes === 0) return
    this.#unconsumed = 0
    if (this.#socket.writable) this.#gather.writeHeld(this.#socket)
    this.#stream.consumed(bytes)
  }
}

export type SpliceOptions = {
  readonly turn: Turn
  readonly clock: Clock
  /** The stream is reset with this key when the socket fails. Default: stream.aborted. */
  readonly keyOf?: (error: Error) => ErrorKey
  /** Reads come as 'data' events: somebody else listens too, or TLS may read while another read is being handled. */
  readonly isOverheard?: boolean
  /** The part of the loop that the socket belongs to. Default: all of the loop. */
  readonly work?: JoinWork
  /** Bytes of the socket that were read before. */
  readonly first?: Buffer | undefined
  /** Called once, when the socket is closed. `key` says why when it was not an orderly end. */
  readonly onEnd: (key: ErrorKey | undefined) => void
}

/** The sink of a stream that is joined to `socket`. The socket must be made with `allowHalfOpen: true`. */
export class Splice implements StreamSink, Reader {
  readonly #socket: Socket
  readonly #stream: SplicedStream
  readonly #clock: Clock
  readonly #keyOf: SpliceOptions['keyOf']
  readonly #onEnded: SpliceOptions['onEnd']
  readonly #delivery: Delivery
  readonly #hearing: Hearing
  readonly #reading: Reading
  readonly #work: JointWork | undefined
  #sawEnd = false
  #sawFin = false
  #failure: ErrorKey | undefined

  constructor(socket: Socket, stream: SplicedStream, options: SpliceOptions) {
    this.#socket = socket
    this.#stream = stream
    this.#clock = options.clock
    this.#keyOf = options.keyOf
    this.#onEnded = options.onEnd
    this.#delivery = new Delivery(socket, stream, options.turn)
    this.#hearing = hearOut(socket, options.clock)
    this.#reading = new Reading(socket, options.turn)
    this.#work = options.work?.(this.#reading)
    if (options.isOverheard) socket.on('data', this.#onRead)
    else readInto(socket, 'raw', this.#onRead)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
    if (options.first && options.first.length > 0) this.onBytes(options.first)
  }

  onData(bytes: Buffer): void {
    this.#delivery.write(bytes)
  }

  onFin(): void {
    this.#sawFin = true
    this.#delivery.finish()
    this.#socket.end()
  }

  onWritable(): void {
    this.#reading.setFull(false)
  }

  onReset(code: number): void {
    this.#failure ??= keyOfCode(code) ?? 'stream.aborted'
    this.#delivery.flush()
    // The relay needs its memory back at once.
    if (this.#failure === 'relay.memory' || this.#failure === 'stream.memory') abort(this.#socket)
    else resetBehind(this.#socket, this.#clock)
  }

  /** Bytes from the socket: all of them go to the stream. */
  onBytes(bytes: Buffer): void {
    const startMs = this.#work ? this.#clock.monotonic() : 0
    if (!this.#stream.write(bytes)) this.#reading.setFull(true)
    this.#work?.read(startMs, bytes.length)
  }

  readonly #onRead = (bytes: Buffer): void => this.#reading.pass(bytes, this)

  readonly #onEnd = (): void => {
    if (this.#hearing.isCutShort) return
    this.#sawEnd = true
    this.#stream.end()
  }

  readonly #onError = (error: Error): void => {
    this.#failure ??= this.#keyOf?.(error) ?? 'stream.aborted'
  }

  readonly #onClose = (): void => {
    this.#work?.close()
    if (this.#failure || !this.#sawEnd || !this.#sawFin || !this.#socket.writableFinished) {
      this.#failure ??= 'stream.aborted'
      this.#stream.resetBehind(this.#failure)
    }
    this.#onEnded(this.#failure)
  }
}
