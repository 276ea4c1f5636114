/**
 * Sends one DNS message and receives the answer, over UDP or TCP. Each question has its own socket, so that the system
 * picks a new source port, and the socket is connected, so that it takes answers only from the asked address. The
 * caller sets deadlines.
 */
import { Buffer } from 'node:buffer'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'

export type Peer = { readonly address: string; readonly port: number }

/**
 * Sends `question` and passes on every message that comes back, until `isAnswer` accepts one.
 * @throws errors of the network, and the signal's reason
 */
export type Exchange = (
  peer: Peer,
  question: Uint8Array,
  options: {
    readonly protocol: 'udp' | 'tcp'
    readonly signal: AbortSignal
    /** Returns false for a forged, late or broken message: the wait goes on. */
    readonly isAnswer: (message: Uint8Array) => boolean
  },
) => Promise<void>

export const networkExchange: Exchange = (peer, question, options) =>
  options.protocol === 'udp' ? byUdp(peer, question, options) : byTcp(peer, question, options)

type Options = Parameters<Exchange>[2]

function byUdp({ address, port }: Peer, question: Uint8Array, { signal, isAnswer }: Options): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    const end = (error?: unknown) => {
      signal.removeEventListener('abort', onAbort)
      socket.close()
      if (error === undefined) resolve()
      else reject(error)
    }
    const onAbort = () => end(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', (error) => end(error))
    socket.on('message', (message) => {
      if (isAnswer(message)) end()
    })
    socket.connect(port, address, () => {
      if (!signal.aborted) socket.send(question)
    })
  })
}

/** RFC 7766: two bytes of length before each message. */
function byTcp({ address, port }: Peer, question: Uint8Array, { signal, isAnswer }: Options): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = connect({ host: address, port, noDelay: true })
    let received = Buffer.alloc(0)
    const end = (error?: unknown) => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      if (error === undefined) resolve()
      else reject(error)
    }
    const onAbort = () => end(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    // A destroyed socket may report its error once more.
    socket.on('error', (error) => end(error))
    socket.once('end', () => end(new Error('the name server closed the connection')))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2) return
      const length = received.readUInt16BE(0)
      if (received.length < 2 + length) return
      end(isAnswer(received.subarray(2, 2 + length)) ? undefined : new Error('no answer to the question'))
    })
    const length = Buffer.alloc(2)
    length.writeUInt16BE(question.length)
    socket.write(Buffer.concat([length, question]))
  })
}
