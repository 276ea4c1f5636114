/** An http visitor's connection at a relay. A test plays both ends: the visitor by a socket, the agent by a stream. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { silentLog } from '@porttunneler/shared/base/log'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { Stream } from '@porttunneler/shared/mux/stream'
import { deafSink } from '@porttunneler/shared/mux/stream-sink'
import { Turn } from '@porttunneler/shared/mux/turn'
import { limits } from '@porttunneler/shared/protocol/limits'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { muxPair, Recorder } from '@porttunneler/shared/testing/mux-pair'
import { afterEach, expect } from 'vitest'
import type { HttpConnection, HttpRoute, HttpVisitorDeps } from '../listeners/http/deps.ts'
import { serveHttpVisitor } from '../listeners/http/visitor.ts'
import { serveHttp2Visitor } from '../listeners/http2/visitor.ts'

export const ours = (host: string) =>
  `X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Host: ${host}\r\nX-Forwarded-Proto: http\r\n\r\n`
export const get = (path: string, host = 'a.test', fields = '') =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`
export const seen = (path: string, fields = '') =>
  `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}${ours('a.test')}`
export const websocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
export const answer = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`

/** The agent's end of a stream, played by the test. */
export type Upstream = { stream: Stream; info: OpenInfo; heard: Recorder }

/** @returns what starts a rig; each is closed after its test */
export function useRigs(): (settings?: Partial<Pick<Rig, 'isHttp2' | 'more'>>) => Promise<Rig> {
  const rigs: Rig[] = []
  afterEach(() => {
    for (const rig of rigs.splice(0)) rig.close()
  })
  return async (settings = {}) => {
    const rig = Object.assign(new Rig(), settings)
    rigs.push(rig)
    await rig.start()
    return rig
  }
}

export class Rig {
  readonly clock = new FakeClock()
  readonly refused: ErrorKey[] = []
  readonly upstreams: Upstream[] = []
  closedTotal = 0
  /** For each stream, whether its visitor had one on the same connection. */
  readonly known: boolean[] = []
  /** What `open` throws, if anything. */
  refusal: ErrorKey | undefined
  sni: string | undefined
  /** Visitors speak HTTP/2 to `a.test`. */
  isHttp2 = false
  /** What the relay around the listener says besides. */
  more: Partial<HttpVisitorDeps> = {}
  /** The tunnel's policy for each request. */
  judge: (body: number | 'chunked', proto: 'http' | 'https') => ErrorKey | number | undefined = () =>
    undefined
  /** Whether upstreams take the bytes they get. */
  isHungry = true
  readonly #own = createHttpServer((request, response) => response.end(`own ${request.url}`))
  /** It stands still unless a test waits for a credit: tests move hours on, which must not lose a carrier. */
  readonly wireClock = new FakeClock()
  readonly #pair = muxPair({
    clock: this.wireClock,
    agent: {
      onOpen: (stream, info) => {
        const heard = new Recorder()
        heard.stream = stream
        heard.isHungry = this.isHungry
        this.upstreams.push({ stream, info, heard })
        this.#onUpstream()
        return heard
      },
    },
  })
  /** Status and latency, as they were counted. */
  readonly answers: (readonly [number, number] | readonly ['unanswered'])[] = []
  /** The relay's ends of the visitors' connections. */
  readonly accepted: Socket[] = []
  readonly connections: HttpConnection[] = []
  readonly #visitors: Socket[] = []
  #onUpstream: () => void = () => {}
  readonly #server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true })

  async start(): Promise<void> {
    const { clock } = this
    const count = (key: ErrorKey) => void this.refused.push(key)
    const route: HttpRoute = {
      open: (info, { onStream }, isKnown = false) => {
        if (this.refusal) throw fail(this.refusal)
        this.known.push(isKnown)
        onStream(this.#pair.relay.open({ ...info, bind: 1, atMs: 0 }, deafSink))
        return undefined
      },
      judge: ({ body }, { proto }) => this.judge(body, proto),
      closed: () => void this.closedTotal++,
      answers: {
        now: () => clock.monotonic(),
        answered: (status, ms) => void this.answers.push([status, ms]),
        unanswered: () => void this.answers.push(['unanswered']),
      },
      refused: count,
    }
    const deps: HttpVisitorDeps = {
      clock,
      turn: new Turn(),
      httpsPort: () => 8443,
      log: silentLog,
      lookup: (host) => (host === 'a.test' ? route : host === 'relay.test' ? 'own' : 'http.unknown_host'),
      serveOwn: (socket, first) => {
        socket.unshift(first)
        this.#own.emit('connection', socket)
        socket.resume()
      },
      refused: count,
      ...this.more,
    }
    this.#server.on('connection', (socket) => {
      this.accepted.push(socket)
      // TLS would be reading already.
      if (this.isHttp2) socket.resume()
      const sni = this.isHttp2 ? 'a.test' : this.sni
      const serve = this.isHttp2 ? serveHttp2Visitor : serveHttpVisitor
      const tls = sni === undefined ? {} : { tls: { sni, raw: socket } }
      this.connections.push(
        serve({ socket, origin: { address: '192.0.2.9', port: 1, localPort: 2 }, ...tls }, deps),
      )
    })
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** A visitor that sends `text` and records what it gets. */
  async visit(text: string): Promise<Visitor> {
    const { port } = this.#server.address() as AddressInfo
    const accepted = once(this.#server, 'connection')
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.#visitors.push(socket)
    const visitor = new Visitor(socket)
    socket.write(text, 'latin1')
    await accepted
    return visitor
  }

  /** A visitor that speaks HTTP/2. */
  connect(): ClientHttp2Session {
    const { port } = this.#server.address() as AddressInfo
    const socket = connect({ port, host: '127.0.0.1' })
    this.#visitors.push(socket)
    const options = { createConnection: () => socket, maxSendHeaderBlockLength: 1024 * 1024 }
    return connectHttp2('http://a.test', options).on('error', () => {})
  }

  async upstream(index = 0): Promise<Upstream> {
    while (this.upstreams.length <= index)
      await new Promise<void>((resolve) => {
        this.#onUpstream = resolve
      })
    return this.upstreams[index] as Upstream
  }

  /** Moves the visitor's clock in small steps, so that bytes on their way arrive in between. */
  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms, ms / 20)
  }

  /** Resolves when the credit for used bytes has been sent. */
  async credited(): Promise<void> {
    await this.wireClock.advanceAsync(limits.creditDelayMs)
  }

  close(): void {
    for (const socket of this.#visitors) socket.destroy()
    this.#server.close()
    this.#own.close()
  }
}

export class Visitor {
  readonly socket: Socket
  text = ''
  hasEnded = false
  error: Error | undefined
  #onChange: () => void = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    const changed = () => this.#onChange()
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1')
      changed()
    })
    socket.on('end', () => {
      this.hasEnded = true
      changed()
    })
    socket.on('error', (error) => {
      this.error = error
    })
    socket.on('close', () => {
      this.hasEnded = true
      changed()
    })
  }

  async until(isTrue: (text: string) => boolean): Promise<string> {
    while (!isTrue(this.text)) {
      if (this.hasEnded) throw new Error(`ended after: ${this.text}`)
      await new Promise<void>((resolve) => {
        this.#onChange = resolve
      })
    }
    return this.text
  }

  async end(): Promise<string> {
    while (!this.hasEnded)
      await new Promise<void>((resolve) => {
        this.#onChange = resolve
      })
    return this.text
  }
}

export function say({ stream }: Upstream, text: string): void {
  stream.write(Buffer.from(text, 'latin1'))
}

export async function hears({ heard }: Upstream, text: string): Promise<void> {
  await heard.until(() => heard.bytes.length >= text.length)
  expect(heard.bytes.toString('latin1')).toBe(text)
}
