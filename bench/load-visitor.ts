/**
 * A visitor's connection that costs the load generator as little as Node allows: all connections read into one buffer
 * that is never kept, so a read allocates nothing and uses no stream machinery.
 */
import { connect, type Socket } from 'node:net'

const shared = Buffer.alloc(256 * 1024)

export type Visitor = {
  readonly socket: Socket
  /** Called for every read. The bytes are valid only during the call. */
  onRead: (length: number, bytes: Buffer) => void
  /** Resolves at FIN, rejects when the connection closes before it. Call it before anything is sent. */
  ended(): Promise<void>
}

export function dial({ host, port }: { readonly host: string; readonly port: number }): Promise<Visitor> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      noDelay: true,
      allowHalfOpen: true,
      onread: {
        buffer: shared,
        callback: (length) => {
          visitor.onRead(length, shared)
          return true
        },
      },
    })
    const visitor: Visitor = { socket, onRead: () => undefined, ended: () => endOf(socket) }
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // A caller that waits for the end is told of an error by 'close'.
      socket.on('error', () => undefined)
      resolve(visitor)
    })
  })
}

function endOf(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('end', resolve)
    socket.once('close', () => reject(new Error('the connection was cut')))
    // A FIN is seen only when the socket is read.
    socket.resume()
  })
}
