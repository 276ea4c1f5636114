/** Speaks to a relay's agent port frame by frame, to send what no real agent would. */
import { connect, type TLSSocket } from 'node:tls'
import type { RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import { encodeJson, FrameDecoder, FrameType, writeHead } from '@porttunneler/shared/protocol/frames'
import { EventLog, within } from './events.ts'

export type RawFrame = { readonly type: number; readonly stream: number; readonly payload: Buffer }

export type RawAgent = {
  readonly frames: EventLog<RawFrame>
  /** Resolves when the relay has ended the connection, by FIN or reset. */
  readonly closed: Promise<void>
  send(bytes: Buffer): void
  /** Sends it again and again, as fast as it is accepted, until the connection ends. */
  flood(bytes: Buffer): void
  /** Sends HELLO and waits for WELCOME. */
  hello(ticket: string): Promise<void>
  /** The `PT-nnnn` in the next REFUSE, GOAWAY or UNBOUND. */
  refusal(): Promise<string>
  close(): void
}

export function frame(type: number, payload: Buffer = Buffer.alloc(0), stream = 0): Buffer {
  const head = Buffer.alloc(8)
  writeHead(head, 0, { type: type as FrameType, length: payload.length, stream })
  return Buffer.concat([head, payload])
}

export function helloFrame(ticket: string): Buffer {
  const body = { versions: [1], agent: 'agt_00000000000000000000000000', build: 'test', ticket, carrier: 1 }
  return encodeJson(FrameType.hello, { ...body, window: 65_536, lost: [] })
}

export async function dialRaw({ host, port, sni, certificate }: RelayAddress): Promise<RawAgent> {
  const socket = connect({
    host: host === 'localhost' ? '127.0.0.1' : host,
    port,
    servername: sni,
    ALPNProtocols: ['porttunneler'],
    minVersion: 'TLSv1.3',
    ...(certificate !== undefined && { ca: [certificate] }),
  })
  const frames = new EventLog<RawFrame>()
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  collect(socket, frames)
  await within(
    new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    }),
    'the TLS handshake with the relay',
  )
  socket.on('error', () => undefined)
  const refusals: readonly number[] = [FrameType.refuse, FrameType.goAway, FrameType.unbound]
  return {
    frames,
    closed,
    send: (bytes) => void socket.write(bytes),
    flood: (bytes) => {
      const fill = () => {
        while (!socket.destroyed && socket.write(bytes));
      }
      socket.on('drain', fill)
      fill()
    },
    hello: async (ticket) => {
      socket.write(helloFrame(ticket))
      await frames.waitFor(({ type }) => type === FrameType.welcome, { what: 'WELCOME' })
    },
    refusal: async () => {
      const { payload } = await frames.waitFor(({ type }) => refusals.includes(type), { what: 'a refusal' })
      return JSON.parse(payload.toString()).code
    },
    close: () => socket.destroy(),
  }
}

function collect(socket: TLSSocket, frames: EventLog<RawFrame>): void {
  const decoder = new FrameDecoder()
  socket.on('data', (chunk: Buffer) => {
    decoder.push(chunk, {
      onData: (stream, _offset, bytes) =>
        frames.push({ type: FrameType.data, stream, payload: Buffer.from(bytes) }),
      onFrame: (type, stream, { buffer, start, length }) =>
        frames.push({ type, stream, payload: Buffer.from(buffer.subarray(start, start + length)) }),
    })
  })
}
