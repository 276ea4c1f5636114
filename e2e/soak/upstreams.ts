/** The upstreams of one agent's tunnels. They can be stopped and started again at the same ports. */
import { createServer, type Server } from 'node:http'
import { type Listening, listening, listenTcp, portOf } from '../harness/sockets.ts'
import { receiveHashed, sendHashed } from '../harness/transfer.ts'
import { knownBytes, page, sourceSeed } from './known.ts'

const names = ['echo', 'source', 'sink'] as const
type Name = (typeof names)[number]

const servers = {
  echo: (socket) => void socket.pipe(socket),
  source: (socket) =>
    void sendHashed(socket, { bytes: knownBytes, seed: sourceSeed }).catch(() => socket.destroy()),
  sink: (socket) =>
    void receiveHashed(socket).then(
      ({ sha256 }) => socket.end(sha256),
      () => socket.destroy(),
    ),
} satisfies Record<Name, Parameters<typeof listenTcp>[0]>

export class Upstreams {
  readonly ports: Readonly<Record<Name | 'web', number>>
  readonly #web: Server
  #tcp: readonly Listening[]

  private constructor(tcp: readonly Listening[], web: Server) {
    const [echo = 0, source = 0, sink = 0] = tcp.map(({ port }) => port)
    this.ports = { echo, source, sink, web: portOf(web) }
    this.#tcp = tcp
    this.#web = web
  }

  static async start(): Promise<Upstreams> {
    const web = createServer((_request, response) => void response.end(page))
    web.keepAliveTimeout = 0
    await listening(web)
    return new Upstreams(await Promise.all(names.map((name) => listenTcp(servers[name]))), web)
  }

  /** Stops the tcp upstreams with their connections. */
  async down(): Promise<void> {
    await Promise.all(this.#tcp.map((one) => one.close()))
    this.#tcp = []
  }

  async up(): Promise<void> {
    this.#tcp = await Promise.all(names.map((name) => listenTcp(servers[name], this.ports[name])))
  }

  async close(): Promise<void> {
    this.#web.closeAllConnections()
    this.#web.close()
    await this.down()
  }
}
