/**
 * Somebody who means no good, in a process of its own so that it slows nobody down who is measured. Until it is ended:
 *   slow <port> <count>        holds connections and sends a byte of a request head each second
 *   silent <port> <count>      holds connections and says nothing on them
 *   garbage <port> <rate>      so many connections a second, each with random bytes
 *   connect <port> <rate>      so many connections a second, nothing sent
 *   handshake <port> <rate>    so many full TLS handshakes a second, for a name that the relay serves
 * Behind these: host, own address, name in the handshake. Says once a second how many connections got through so far
 * and how many were tried.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { addresses } from './network.ts'

const number = z.coerce.number().int().positive()
const kinds = ['slow', 'silent', 'garbage', 'connect', 'handshake'] as const
const [kind, port, amount, host, localAddress, servername] = z
  .tuple([
    z.enum(kinds),
    number,
    number,
    z.string().default(addresses.relay),
    z.string().default(addresses.stranger),
    z.string().default('nobody.tunnels.test'),
  ])
  .parse(Array.from({ length: 6 }, (_, at) => process.argv[at + 2]))

/** What a connection of the last three kinds lives at most. */
const lifeMs = 3_000
const tickMs = 50

const open = new Set<Socket>()
let connected = 0
let tried = 0

function dial(): Socket {
  const options = { host, port, localAddress }
  if (kind !== 'handshake') return connect(options)
  return connectTls({ ...options, servername, rejectUnauthorized: false, minVersion: 'TLSv1.3' })
}

function attempt(onConnect: (socket: Socket) => void): void {
  tried += 1
  const socket = dial()
  open.add(socket)
  socket.on('error', () => undefined).once('close', () => open.delete(socket))
  socket.resume().once(kind === 'handshake' ? 'secureConnect' : 'connect', () => {
    connected += 1
    onConnect(socket)
  })
}

function hold(): void {
  const first = () => undefined
  while (open.size < amount)
    attempt(kind === 'slow' ? (socket) => socket.write('GET / HTTP/1.1\r\nx: ') : first)
  if (kind === 'slow') for (const socket of open) if (socket.writable && !socket.connecting) socket.write('y')
}

function flood(): void {
  for (let count = 0; count < (amount * tickMs) / 1_000; count++)
    attempt((socket) => {
      if (kind === 'garbage') socket.write(randomBytes(512))
      if (kind === 'handshake') socket.destroy()
      else systemClock.after(lifeMs, () => socket.destroy())
    })
}

if (kind === 'slow' || kind === 'silent') {
  hold()
  systemClock.every(1_000, hold)
} else systemClock.every(tickMs, flood)
systemClock.every(1_000, () => void process.stdout.write(`connected ${connected} of ${tried}\n`))
