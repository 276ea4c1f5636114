/** Visitors' sockets and small servers, with explicit options where a test of TCP depends on them. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { within } from './events.ts'

export type Address = { readonly host: string; readonly port: number }

/** Half-open is allowed: the end of one direction is not the end of the other. One that comes too late is closed. */
export async function dial({ host, port }: Address): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true })
  const connected = new Promise<Socket>((resolve, reject) => {
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })
  try {
    return await within(connected, `dialling ${host}:${port}`)
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/**
 * How a connection ended that is cut as soon as it is accepted. A reset may come before this process has
 * noticed that it is connected (`connect` then fails with ECONNRESET), which is a cut as well; a refusal is none.
 */
export async function cutOf({ host, port }: Address, words: string): Promise<'reset' | 'end'> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true })
  const refused = new Promise<never>((_resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED' && reject(error))
  })
  const end = endOf(socket)
  socket.write(words)
  return within(Promise.race([end, refused]), 'the cut')
}

/** Reads until the other side ends its direction. Rejects on a reset. */
export function readToEnd(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('end', () => resolve(Buffer.concat(chunks)))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed before its end')))
    socket.resume()
  })
}

/** Reads until `bytes` have come, and leaves the socket paused. */
export function readBytes(socket: Socket, bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let seen = 0
    const onData = (chunk: Buffer) => {
      chunks.push(chunk)
      seen += chunk.length
      if (seen < bytes) return
      socket.pause()
      finish()
      resolve(Buffer.concat(chunks))
    }
    const onEnd = () => {
      finish()
      reject(new Error(`ended after ${seen} of ${bytes} bytes: ${Buffer.concat(chunks).toString('latin1')}`))
    }
    const onError = (error: Error) => {
      finish()
      reject(error)
    }
    const finish = () => {
      socket.off('data', onData).off('end', onEnd).off('error', onError)
    }
    socket.on('data', onData).on('end', onEnd).on('error', onError)
    socket.resume()
  })
}

/** How a connection ended: 'reset' by an error, 'end' by a FIN. */
export function endOf(socket: Socket): Promise<'reset' | 'end'> {
  return new Promise((resolve) => {
    socket.on('data', () => undefined)
    socket.once('error', () => resolve('reset'))
    socket.once('end', () => resolve('end'))
    socket.once('close', (hadError) => resolve(hadError ? 'reset' : 'end'))
  })
}

export type Listening = {
  readonly port: number
  readonly connections: ReadonlySet<Socket>
  close(): Promise<void>
}

/** A TCP server that lives in this process, on loopback unless `host` says otherwise. */
export async function listenTcp(
  onSocket: (socket: Socket) => void,
  port = 0,
  host = '127.0.0.1',
): Promise<Listening> {
  const connections = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    connections.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => connections.delete(socket))
    onSocket(socket)
  })
  await listening(server, port, host)
  return {
    port: portOf(server),
    connections,
    close: () => {
      for (const socket of connections) socket.destroy()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

export function listening(server: Server, port = 0, host = '127.0.0.1'): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: 4_096 }, resolve)
  })
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
