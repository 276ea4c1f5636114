/**
 * Somebody who means no good, in a process of its own so that it slows nobody down who is measured. Until it is ended:
 *   slow <port> <count>      holds connections and sends a byte of a request head each second
 *   garbage <port> <rate>    so many connections a second, each with random bytes
 *   connect <port> <rate>    so many connections a second, nothing sent
 * Says once a second how many connections got through so far.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { addresses } from './network.ts'

const number = z.coerce.number().int().positive()
const [kind, port, amount] = z
  .tuple([z.enum(['slow', 'garbage', 'connect']), number, number])
  .parse(process.argv.slice(2))

/** What a connection of the latter two kinds lives at most. */
const lifeMs = 3_000
const tickMs = 50

const open = new Set<Socket>()
let connected = 0

function dial(onConnect: (socket: Socket) => void): void {
  const socket = connect({ host: addresses.relay, port, localAddress: addresses.stranger })
  open.add(socket)
  socket.on('error', () => undefined).once('close', () => open.delete(socket))
  socket.resume().once('connect', () => {
    connected += 1
    onConnect(socket)
  })
}

function keepSlow(): void {
  while (open.size < amount) dial((socket) => socket.write('GET / HTTP/1.1\r\nx: '))
  for (const socket of open) if (socket.writable && !socket.connecting) socket.write('y')
}

function flood(): void {
  for (let count = 0; count < (amount * tickMs) / 1_000; count++)
    dial((socket) => {
      if (kind === 'garbage') socket.write(randomBytes(512))
      systemClock.after(lifeMs, () => socket.destroy())
    })
}

if (kind === 'slow') {
  keepSlow()
  systemClock.every(1_000, keepSlow)
} else systemClock.every(tickMs, flood)
systemClock.every(1_000, () => void process.stdout.write(`connected ${connected}\n`))
