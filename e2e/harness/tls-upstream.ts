/** A local service that speaks TLS itself, with a certificate that only the test knows. */
import type { Socket } from 'node:net'
import { createServer } from 'node:tls'
import { selfSignedIdentity, type TlsIdentity } from '@porttunneler/relay-vm/certificate'
import { listening, portOf } from './sockets.ts'
import { temporaryFolder } from './standalone.ts'

export type TlsUpstream = {
  readonly port: number
  readonly identity: TlsIdentity
  /** How many handshakes were completed so far. */
  accepted(): number
  close(): Promise<void>
}

/** Echoes bytes under TLS. */
export async function startTlsUpstream(name: string): Promise<TlsUpstream> {
  const identity = await selfSignedIdentity(temporaryFolder('tls'), { names: [name], nowMs: Date.now() })
  const connections = new Set<Socket>()
  let accepted = 0
  const server = createServer(
    { cert: identity.certificate, key: identity.key.reveal(), ALPNProtocols: ['h2'], allowHalfOpen: true },
    (socket) => {
      accepted += 1
      socket.on('error', () => socket.destroy())
      socket.pipe(socket)
    },
  )
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  await listening(server)
  return {
    port: portOf(server),
    identity,
    accepted: () => accepted,
    close: () => {
      for (const socket of connections) socket.destroy()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}
