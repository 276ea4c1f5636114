/** A desk with one tunnel whose upstream speaks HTTP/2, and visitors that speak HTTP/1.1 as a relay sends it. */
import { once } from 'node:events'
import { createServer, type Http2Server, type ServerHttp2Stream, type ServerOptions } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '@porttunneler/shared/base/clock'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { Stream } from '@porttunneler/shared/mux/stream'
import { Turn } from '@porttunneler/shared/mux/turn'
import { anyVisitor, type MuxPair, muxPair, Recorder } from '@porttunneler/shared/testing/mux-pair'
import type { AgentEvent } from '../agent/events.ts'
import { newTunnel, type Tunnel, type WantedTunnel } from '../agent/tunnels.ts'
import { VisitorDesk } from '../agent/visitor-desk.ts'

export type Rig = {
  readonly desk: VisitorDesk
  readonly tunnel: Tunnel
  readonly events: AgentEvent[]
  readonly pair: MuxPair
  /** The agent's ends of the visitors' streams. */
  readonly streams: Stream[]
  visit(info?: Partial<OpenInfo>): Http1Visitor
}

/** One visitor's stream. */
export class Http1Visitor extends Recorder {
  answer: 'upgraded' | 'plain' | undefined

  get text(): string {
    return this.bytes.toString('latin1')
  }

  get received(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0)
  }

  send(text: string): this {
    this.stream?.write(Buffer.from(text, 'latin1'))
    return this
  }

  /** Waits until the answers so far end with `end`. */
  async heard(end: string | RegExp): Promise<string> {
    await this.until(() => (typeof end === 'string' ? this.text.endsWith(end) : end.test(this.text)))
    return this.text
  }

  /** Waits until the upstream has ended, by FIN or by RESET. */
  async over(): Promise<string> {
    await this.until(() => this.hasFin || this.resetCode !== undefined)
    return this.text
  }

  onUpgraded(): void {
    this.answer = 'upgraded'
    this.onChange()
  }

  onPlain(): void {
    this.answer = 'plain'
    this.onChange()
  }
}

export function http2Rig(
  wanted: Partial<WantedTunnel> & Pick<WantedTunnel, 'upstream'>,
  clock: Clock = systemClock,
): Rig {
  const events: AgentEvent[] = []
  const streams: Stream[] = []
  const tunnel = newTunnel(1, { name: 'web', kind: 'http', upstreamProtocol: 'h2c', ...wanted })
  const desk = new VisitorDesk({
    clock,
    turn: new Turn(),
    emit: (event) => events.push(event),
    onIdle: () => {},
  })
  const pair = muxPair({
    clock: systemClock,
    agent: {
      onOpen: (stream, info) => {
        streams.push(stream)
        return desk.accept(stream, info, tunnel)
      },
    },
  })
  return {
    desk,
    tunnel,
    events,
    pair,
    streams,
    visit: (info) => {
      const visitor = new Http1Visitor()
      visitor.stream = pair.relay.open({ ...anyVisitor, ...info }, visitor)
      return visitor
    },
  }
}

/** A server of HTTP/2 without TLS. */
export async function http2Server(
  serve: (stream: ServerHttp2Stream, fields: readonly string[]) => void,
  options: ServerOptions = {},
): Promise<{ readonly server: Http2Server; readonly port: number }> {
  const server = createServer(options)
  server.on('stream', (stream, _fields, _flags, raw) => {
    stream.on('error', () => {})
    serve(stream, raw)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port }
}
