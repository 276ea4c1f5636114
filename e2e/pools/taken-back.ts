/** Requests over HTTP/2 that are taken back in the packet that asks, so no upstream hears of them. */
import { connect as connectHttp2, constants } from 'node:http2'
import { connect } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { goaways, opening, request, reset } from '../../relay-vm/testing/http2-frames.ts'
import { within } from '../harness/events.ts'
import { greedyAddress, guestAddress, guestHost, type Ports } from './stage.ts'

const host = '127.0.0.1'
/** One connection may take back 200 at once (listeners/http2/settings.ts). */
const eachMax = 190

/**
 * Takes back `count` requests over as many connections as that needs.
 * @returns how many of the connections the relay ended for it
 */
export async function takeBack({ tlsPort }: Ports, count: number): Promise<number> {
  const counts: number[] = []
  for (let left = count; left > 0; left -= eachMax) counts.push(Math.min(left, eachMax))
  const ended = await Promise.all(
    counts.map(async (each) => {
      const socket = await dialHttp2(tlsPort, greedyAddress)
      const codes = goaways(socket)
      const streams = Array.from({ length: each }, (_, index) => 2 * index + 1)
      socket.write(Buffer.concat([opening(), ...streams.flatMap((id) => [request(id), reset(id)])]))
      // What comes behind them is answered when they were read.
      socket.end(Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, ...Buffer.alloc(8)]))
      await within(
        new Promise((resolve) => void socket.once('close', resolve)),
        'the end of a greedy visitor',
      )
      return codes.includes(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    }),
  )
  return ended.filter(Boolean).length
}

/** A guest takes one request back and has the next one answered. */
export async function askAfterTakingBack({ tlsPort }: Ports): Promise<void> {
  const socket = await dialHttp2(tlsPort, guestAddress)
  const client = connectHttp2(`https://${guestHost}`, { createConnection: () => socket })
  client.on('error', () => undefined)
  try {
    const [first, second] = [client.request({ ':path': '/' }), client.request({ ':path': '/' })]
    first.on('error', () => undefined)
    first.close(constants.NGHTTP2_CANCEL)
    const answered = new Promise<number | undefined>((resolve, reject) => {
      second.once('response', (head) => resolve(head[':status'])).once('error', reject)
    })
    const status = await within(answered, 'the answer to the guest')
    if (status !== 200) throw new Error(`the guest was answered ${status}`)
    second.resume()
  } finally {
    client.destroy()
  }
}

function dialHttp2(port: number, localAddress: string): Promise<TLSSocket> {
  const below = connect({ port, host, localAddress, noDelay: true })
  const socket = connectTls({
    socket: below,
    servername: guestHost,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
  })
  const connected = new Promise<TLSSocket>((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket)).once('error', reject)
    below.once('error', reject)
  })
  return within(connected, 'a connection of HTTP/2')
}
