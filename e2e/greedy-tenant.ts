/**
 * A flooding tenant: an agent of its own, with a valid ticket and one open stream, that sends only small frames as fast
 * as the relay reads them. It runs in a process of its own and prints "flooding" when it is at work.
 */
import { connect } from 'node:net'
import { FrameType } from '@porttunneler/shared/protocol/frames'
import { z } from 'zod'
import { dialRaw, frame } from './harness/raw-agent.ts'

const argumentSchema = z.object({
  host: z.string(),
  port: z.int(),
  sni: z.string(),
  certificate: z.string().optional(),
  ticket: z.string(),
  endpointPort: z.int(),
  flood: z.enum(['credit', 'sync', 'data', 'unknown']),
})
export type GreedyTenant = z.infer<typeof argumentSchema>

const { ticket, endpointPort, flood, ...relay } = argumentSchema.parse(JSON.parse(process.argv[2] ?? ''))
const agent = await dialRaw({ instance: 'r1', ...relay })
await agent.hello(ticket)
agent.send(frame(FrameType.bind, Buffer.from(JSON.stringify({ bind: 1, ticket }))))
await agent.frames.waitFor(({ type }) => type === FrameType.bound, { what: 'BOUND' })
connect(endpointPort, relay.host).on('error', () => undefined)
const { stream } = await agent.frames.waitFor(({ type }) => type === FrameType.open, { what: 'OPEN' })
agent.send(frame(FrameType.opened, Buffer.alloc(4), stream))
const block = Buffer.concat(Array.from({ length: 4_096 }, () => pieceOf(flood)))
void agent.closed.then(() => process.exit(1))
agent.flood(block)
process.stdout.write('flooding\n')

function pieceOf(kind: GreedyTenant['flood']): Buffer {
  switch (kind) {
    case 'credit':
      return frame(FrameType.credit, Buffer.alloc(10), stream)
    case 'sync':
      return frame(FrameType.sync, Buffer.alloc(16), stream)
    case 'data':
      // Always the first byte again: bytes that were read before are dropped, and no window stops it.
      return frame(FrameType.data, Buffer.alloc(7), stream)
    case 'unknown':
      return frame(0x90, Buffer.alloc(1))
  }
}
