/**
 * One port for HTTPS and HTTP: the first byte of a connection tells which it is (a TLS record of a handshake begins
 * with 22, and no method of HTTP does). Browsers use HTTPS; the relays and the demo on this machine use HTTP.
 */
import {
  createServer as createHttpServer,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import type { ServerCertificate } from './certified.ts'

const handshake = 22

export type BothServers = {
  /** The server that listens. */
  readonly front: NetServer
  /** The servers that answer. */
  readonly servers: readonly Server[]
}

/** @param certificateOf returns undefined while there is no certificate: TLS is refused then */
export function serveBoth(
  times: ServerOptions,
  listener: RequestListener,
  certificateOf: () => ServerCertificate | undefined,
): BothServers {
  const plain = createHttpServer(times, listener)
  const secure = createHttpsServer({ ...times, minVersion: 'TLSv1.2' }, listener)
  let present: ServerCertificate | undefined
  const greet = (socket: Socket) => {
    const certificate = certificateOf()
    if (!certificate) return void socket.destroy()
    // For all new connections; a client that was given an address names no server, and gets the same one.
    if (certificate !== present) secure.setSecureContext({ ...certificate, minVersion: 'TLSv1.2' })
    present = certificate
    secure.emit('connection', socket)
  }
  secure.on('tlsClientError', (_error, socket) => socket.destroy())
  const front = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    socket.setTimeout(times.headersTimeout ?? 0, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    whenFirst(socket, (byte) => {
      socket.setTimeout(0)
      socket.removeAllListeners('timeout')
      if (byte === handshake) greet(socket)
      else plain.emit('connection', socket)
    })
  })
  // They watch their connections from the time they listen, which is when the front does.
  front.on('listening', () => {
    for (const server of [plain, secure]) server.emit('listening')
  })
  return { front, servers: [plain, secure] }
}

function whenFirst(socket: Socket, then: (byte: number | undefined) => void): void {
  socket.once('readable', () => {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) return void socket.destroy()
    socket.pause()
    socket.unshift(chunk)
    then(chunk[0])
  })
}
