/**
 * Reads of sockets into one buffer that is used for every read. Node offers that (`onread`) for sockets that dial out
 * and not for those a server accepted or TLS wrapped, though all of them read by the same code; so the two fields that
 * the option sets are set here. Where Node should ever lay them out in another way, reads come as 'data' events.
 */
import { Socket } from 'node:net'

/** One for each kind, because a TLS read may happen while bytes of another read are being handled. */
const buffers = {
  raw: Buffer.allocUnsafeSlow(64 * 1024),
  tls: Buffer.allocUnsafeSlow(64 * 1024),
  /** Visitors by TLS: OpenSSL gives a record at a time. */
  visitorTls: Buffer.allocUnsafeSlow(16 * 1024),
}
export type ReadKind = keyof typeof buffers

type Handle = { useUserBuffer(buffer: Buffer): void }

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

/** Whether this Node lets reads be put where we want them; `false` costs CPU and nothing else. */
export const readsInPlace = fields !== undefined

/** Ends it: what the socket reads comes as 'data' events alone, whose bytes are the listeners'. */
export type LetGo = () => void

/**
 * Has `onBytes` called with what `socket` reads, in order; the bytes are its own only until it returns. `pause` and
 * `resume` work as ever, 'end' comes as an event. Calls after `pause` are possible, as with 'data' events.
 */
export function readInto(socket: Socket, kind: ReadKind, onBytes: (bytes: Buffer) => void): LetGo {
  // Also brings what was read before, and sets the socket going.
  socket.on('data', onBytes)
  const handle: Partial<Handle> | null | undefined = Reflect.get(socket, '_handle')
  const stopHearing = () => void socket.off('data', onBytes)
  if (!fields || !handle?.useUserBuffer) return stopHearing
  const buffer = buffers[kind]
  let isLetGo = false
  Reflect.set(socket, fields.buffer, buffer)
  Reflect.set(socket, fields.callback, (length: number): boolean => {
    const bytes = buffer.subarray(0, length)
    // What was read before must be heard before.
    if (isLetGo || socket.readableLength > 0) return socket.push(Buffer.from(bytes))
    onBytes(bytes)
    return true
  })
  handle.useUserBuffer(buffer)
  return () => {
    isLetGo = true
    stopHearing()
  }
}
