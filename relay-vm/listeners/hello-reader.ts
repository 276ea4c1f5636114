/**
 * Reads a ClientHello and not a byte of what follows: the five bytes of a record's head, then as many as it says.
 * Nothing is read ahead, so the next reader of the socket reads into buffers of its own size from its first read on.
 * Node offers reads of a chosen length (`onread` with a function) only for sockets that dial out; the fields that the
 * option sets are set here, as in shared/mux/read-into.ts. If a Node version lays them out in another way, reads come
 * as 'data' events.
 */
import { Socket } from 'node:net'

/** A head may announce up to 16 KiB, and memory is allocated as bytes come. */
const stepBytes = 2_048
const recordHeadBytes = 5

type Fields = { readonly buffer: symbol; readonly callback: symbol; readonly next: symbol }
type Handle = { useUserBuffer(buffer: Buffer): void }

/** For all reads after the hello by a reader without a buffer of its own. */
const later = Buffer.allocUnsafeSlow(64 * 1024)
const fields = findFields()

function findFields(): Fields | undefined {
  const probe = new Socket({ onread: { buffer: later, callback: () => true } })
  const named = (name: string) =>
    Object.getOwnPropertySymbols(probe).find((symbol) => symbol.description === name)
  const [buffer, callback, next] = [named('kBuffer'), named('kBufferCb'), named('kBufferGen')]
  probe.destroy()
  return buffer && callback && next ? { buffer, callback, next } : undefined
}

export type HelloReading = {
  /** True: who takes the socket now is the first to read what follows. False: the socket must be paused first. */
  readonly isInRead: boolean
  /** Makes the socket an ordinary one again, and flowing. */
  stop(): void
}

/** Calls `onBytes` with all bytes so far, each time that more have come. Reads no more than whole records. */
export function readHello(socket: Socket, onBytes: (bytes: Buffer) => void): HelloReading {
  const handle: Partial<Handle> | null | undefined = Reflect.get(socket, '_handle')
  // Bytes that were read before come ahead of those still to come.
  if (!fields || !handle?.useUserBuffer || socket.readableLength > 0) return readEvents(socket, onBytes)
  const useUserBuffer = handle.useUserBuffer.bind(handle)
  return new ExactReading(socket, { handle: { useUserBuffer }, fields }, onBytes)
}

function readEvents(socket: Socket, onBytes: (bytes: Buffer) => void): HelloReading {
  let seen: Buffer = Buffer.alloc(0)
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    onBytes(seen)
  }
  socket.on('data', onData)
  socket.resume()
  return { isInRead: false, stop: () => void socket.off('data', onData) }
}

class ExactReading implements HelloReading {
  readonly #socket: Socket
  readonly #node: { readonly handle: Handle; readonly fields: Fields }
  readonly #onBytes: (bytes: Buffer) => void
  #bytes: Buffer = Buffer.alloc(recordHeadBytes)
  #used = 0
  /** Where the current record ends. It points behind the record's head only once the head is there. */
  #recordEnd = recordHeadBytes
  #isHeadKnown = false
  #isFilled = false
  #isOver = false

  constructor(
    socket: Socket,
    node: { readonly handle: Handle; readonly fields: Fields },
    onBytes: (bytes: Buffer) => void,
  ) {
    this.#socket = socket
    this.#node = node
    this.#onBytes = onBytes
    Reflect.set(socket, node.fields.buffer, this.#bytes)
    Reflect.set(socket, node.fields.callback, this.#onRead)
    Reflect.set(socket, node.fields.next, this.#next)
    node.handle.useUserBuffer(this.#bytes)
    socket.resume()
  }

  get isInRead(): boolean {
    return this.#isFilled
  }

  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    const { fields, handle } = this.#node
    Reflect.set(this.#socket, fields.buffer, later)
    Reflect.set(this.#socket, fields.callback, this.#push)
    Reflect.set(this.#socket, fields.next, null)
    handle.useUserBuffer(later)
  }

  readonly #push = (length: number): boolean => this.#socket.push(Buffer.from(later.subarray(0, length)))

  readonly #next = (): Buffer => this.#bytes.subarray(this.#used)

  readonly #onRead = (length: number): boolean => {
    this.#used += length
    this.#isFilled = this.#used === this.#bytes.length
    this.#onBytes(this.#bytes.subarray(0, this.#used))
    if (!this.#isOver && this.#used === this.#bytes.length) this.#grow()
    this.#isFilled = false
    return true
  }

  /** All requested bytes are there: asks for the record's body, or for the next record's head. */
  #grow(): void {
    if (this.#used === this.#recordEnd) {
      const bodyBytes = this.#isHeadKnown ? 0 : this.#bytes.readUInt16BE(this.#used - 2)
      this.#isHeadKnown = bodyBytes > 0
      this.#recordEnd += this.#isHeadKnown ? bodyBytes : recordHeadBytes
    }
    const more = Math.min(this.#recordEnd - this.#used, stepBytes)
    this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(more)])
  }
}
