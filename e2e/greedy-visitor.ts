/**
 * A flooding visitor: fifty connections that send bytes which cost a relay much work. It runs in a process of its own,
 * from an address of its own, and prints "flooding" when it is at work.
 */
import { connect } from 'node:net'
import { z } from 'zod'

const argumentSchema = z.object({
  host: z.string(),
  port: z.int(),
  from: z.string(),
  /** Sent once on each connection. */
  head: z.string(),
  /** Sent again and again. */
  piece: z.string(),
})
export type GreedyVisitor = z.infer<typeof argumentSchema>

const connections = 50
/** Blocks are sent as fast as they are accepted. */
const piecesPerBlock = 4_096

const { head, piece, from, ...relay } = argumentSchema.parse(JSON.parse(process.argv[2] ?? ''))
const block = Buffer.from(piece.repeat(piecesPerBlock))
await Promise.all(Array.from({ length: connections }, flood))
process.stdout.write('flooding\n')

function flood(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket = connect({ ...relay, localAddress: from })
  const send = () => {
    while (socket.writable && socket.write(block));
    resolve()
  }
  socket.on('error', () => undefined).resume()
  socket.on('drain', send).once('connect', () => {
    socket.write(head)
    send()
  })
  return promise
}
