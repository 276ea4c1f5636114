/**
 * The smallest possible proxy in Node: no tunnel, only Node's own `pipe`. Two of these in a row show what Node alone
 * costs a tunnel written in it. Arguments: `plain`, or `tls-out` and `tls-in` for the two ends of an encrypted way
 * between, where each visitor has a TLS connection of its own; then pairs of ports, from and to. With TLS, the working
 * folder has `key.pem` and `cert.pem`.
 */
import { readFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import * as tls from 'node:tls'
import { host } from '../path.ts'

const [mode = 'plain', ...ports] = process.argv.slice(2)
const sockets = { allowHalfOpen: true, noDelay: true }
// The settings that our own two ends use.
const encryption = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' } as const
const trust =
  mode === 'tls-out' ? tls.createSecureContext({ ca: readFileSync('cert.pem'), ...encryption }) : undefined

for (let i = 0; i < ports.length; i += 2) {
  const [from, to] = [Number(ports[i]), Number(ports[i + 1])]
  serve((visitor) => {
    const upstream = dial(to)
    visitor.on('error', () => upstream.destroy())
    upstream.on('error', () => visitor.destroy())
    visitor.pipe(upstream).pipe(visitor)
  }).listen(from, host)
}

function serve(onVisitor: (visitor: Socket) => void): Server {
  if (mode !== 'tls-in') return createServer(sockets, onVisitor)
  const identity = { key: readFileSync('key.pem'), cert: readFileSync('cert.pem') }
  return tls.createServer({ ...sockets, ...encryption, ...identity }, onVisitor)
}

function dial(port: number): Socket {
  const socket = connect({ host, port, ...sockets })
  return trust === undefined ? socket : tls.connect({ socket, servername: 'localhost', secureContext: trust })
}
