/**
 * Reads sockets into one buffer that is used for every read. Node offers that (`onread`) for sockets that dial out, and
 * not for those that a server accepted or TLS wrapped, though all of them read by the same code; so the two fields that
 * the option sets are set here. If a Node version lays them out in another way, reads come as 'data' events.
 */
import { Socket } from 'node:net'

/** One for each kind, because a TLS read may happen while bytes of another read are being handled. */
const buffers = {
  raw: Buffer.allocUnsafeSlow(64 * 1024),
  tls: Buffer.allocUnsafeSlow(64 * 1024),
  /** Visitors by TLS: OpenSSL gives one record at a time. */
  visitorTls: Buffer.allocUnsafeSlow(16 * 1024),
}
export type ReadKind = keyof typeof buffers

type Handle = { useUserBuffer(buffer: Buffer): void }
/** What Node keeps in a socket. */
type Inside = Socket & { _handle?: Partial<Handle> | null; [field: symbol]: unknown }

/** Where a socket keeps the buffer and the callback of the `onread` option. */
const fields = findFields()

function findFields(): { readonly buffer: symbol; readonly callback: symbol } | undefined {
  const probe = new Socket({ onread: { buffer: buffers.raw, callback: () => true } })
  const named = (name: string) =>
    Object.getOwnPropertySymbols(probe).find((symbol) => symbol.description === name)
  const [buffer, callback] = [named('kBuffer'), named('kBufferCb')]
  probe.destroy()
  return buffer && callback ? { buffer, callback } : undefined
}

/** Whether this Node allows reads into our own buffer; `false` only costs CPU. */
export const readsInPlace = fields !== undefined

/** Ends it: what the socket reads then comes only as 'data' events, whose bytes belong to the listeners. */
export type LetGo = () => void

/**
 * Calls `onBytes` with what `socket` reads, in order; the bytes are valid only until it returns. `pause` and `resume`
 * work as usual, 'end' comes as an event. Calls after `pause` are possible, as with 'data' events.
 */
export function readInto(socket: Socket, kind: ReadKind, onBytes: (bytes: Buffer) => void): LetGo {
  // This also delivers bytes that were read before, and makes the socket flow.
  socket.on('data', onBytes)
  const inside = socket as Inside
  const handle = inside._handle
  const stopHearing = () => void socket.off('data', onBytes)
  if (!fields || !handle?.useUserBuffer) return stopHearing
  const buffer = buffers[kind]
  let isLetGo = false
  inside[fields.buffer] = buffer
  inside[fields.callback] = (length: number): boolean => {
    const bytes = buffer.subarray(0, length)
    // Bytes that were read before must come first.
    if (isLetGo || socket.readableLength > 0) return socket.push(Buffer.from(bytes))
    onBytes(bytes)
    return true
  }
  handle.useUserBuffer(buffer)
  return () => {
    isLetGo = true
    stopHearing()
  }
}
