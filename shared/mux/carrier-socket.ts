/**
 * The socket below a carrier. Bytes gathered in a turn become one write; a share of incoming bytes is read in each
 * turn, into memory that is used again. It knows nothing about frames.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { fail, type PortTunnelerError } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { Gather } from './gather.ts'
import { type LetGo, readInto } from './read-into.ts'
import { Reading } from './reading.ts'
import type { Turn } from './turn.ts'

export type SocketEvents = {
  /** The socket uses `bytes` again when this returns. */
  onBytes(bytes: Buffer): void
  /** It has accepted all that was written. */
  onDrain(): void
  /** May be called more than once. */
  onGone(reason: PortTunnelerError): void
}

export class CarrierSocket {
  readonly #socket: Duplex
  readonly #gather: Gather
  readonly #reading: Reading
  readonly #events: SocketEvents
  readonly #letGo: LetGo
  #isOver = false

  constructor(socket: Duplex, turn: Turn, events: SocketEvents) {
    this.#socket = socket
    this.#gather = new Gather(turn.frameSlabs)
    this.#reading = new Reading(socket, turn, 'carrier')
    this.#events = events
    if (socket instanceof Socket) this.#letGo = readInto(socket, 'tls', this.#onBytes)
    else {
      socket.on('data', this.#onBytes)
      this.#letGo = () => void socket.off('data', this.#onBytes)
    }
    socket.on('drain', this.#onDrain)
    socket.on('error', (cause) => events.onGone(fail('carrier.lost', undefined, { cause })))
    for (const event of ['end', 'close']) socket.on(event, () => events.onGone(fail('carrier.lost')))
  }

  /** This machine's address on the path, if it is a socket. */
  get localAddress(): string | undefined {
    return this.#socket instanceof Socket ? this.#socket.localAddress : undefined
  }

  /** It has not accepted all that was written. */
  get needsDrain(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** The bytes that it has not accepted. */
  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  /** Reserves room for `bytes` after what is gathered. @returns where it starts in the slabs' current one */
  take(bytes: number): number {
    return this.#gather.take(bytes)
  }

  /** The account has had more than its part of the loop, or may be read again. */
  setWaiting(isWaiting: boolean): void {
    if (!this.#isOver) this.#reading.setWaiting(isWaiting)
  }

  /** Writes what was gathered. */
  write(): void {
    this.#gather.writeTo(this.#socket)
  }

  /** Ends the connection after what was written; later input is dropped. */
  end(clock: Clock): void {
    const socket = this.#socket
    this.#gather.writeHeld(socket)
    this.#isOver = true
    socket.end()
    const destroy = () => socket.destroy()
    const timer = clock.after(limits.headDeadlineMs / 5, destroy, { background: true })
    socket.once('close', () => timer.clear())
    socket.resume()
  }

  /** Leaves it, paused, to others. */
  detach(): void {
    this.#isOver = true
    this.#reading.detach()
    this.#letGo()
  }

  /** Gives it up at once, and drops what was gathered. */
  destroy(): void {
    this.#isOver = true
    this.#gather.drop()
    this.#socket.destroy()
  }

  readonly #onBytes = (bytes: Buffer): void => {
    if (this.#isOver) return
    this.#reading.pass(bytes, this.#events)
  }

  readonly #onDrain = (): void => {
    if (this.#isOver) return
    this.#gather.writeHeld(this.#socket)
    this.#events.onDrain()
  }
}
