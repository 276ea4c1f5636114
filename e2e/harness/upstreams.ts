/** The upstreams of the tests' tunnels: small servers on loopback in this process. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import { type Listening, listening, listenTcp, portOf } from './sockets.ts'
import { receiveHashed, sendHashed } from './transfer.ts'

/** Echoes bytes as they come, and the end too. */
export function startEcho(): Promise<Listening> {
  return listenTcp((socket) => void socket.pipe(socket))
}

/** Reads everything and answers with its SHA-256 after the visitor's FIN, so it works only with half-close. */
export function startSink(): Promise<Listening> {
  return listenTcp((socket) => {
    receiveHashed(socket).then(
      ({ sha256, bytes }) => socket.end(`${bytes} ${sha256}`),
      () => socket.destroy(),
    )
  })
}

/** Sends random-looking `bytes` to each visitor, then FIN. `sums` gets the SHA-256 of each. */
export async function startSource(
  bytes: number,
): Promise<Listening & { readonly sha256: () => Promise<string> }> {
  const sums: Promise<string>[] = []
  const server = await listenTcp((socket) => {
    const sum = sendHashed(socket, { bytes, seed: 7 })
    sum.catch(() => socket.destroy())
    sums.push(sum)
  })
  return { ...server, sha256: () => sums.at(-1) ?? Promise.reject(new Error('nobody connected')) }
}

export type HttpUpstream = {
  readonly port: number
  /** Requests so far, as they arrived. */
  readonly requests: readonly {
    readonly method: string
    readonly url: string
    readonly rawHeaders: readonly string[]
  }[]
  readonly connections: ReadonlySet<Socket>
  close(): Promise<void>
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/**
 * Routes: `/hello`, `/echo` (returns body and headers), `/sse` (an event now, and one more for each request of
 * `/tick`), WebSocket echo at `/ws`. A test's own handler for a path wins.
 */
export async function startHttp(own: Readonly<Record<string, Handler>> = {}): Promise<HttpUpstream> {
  const requests: HttpUpstream['requests'][number][] = []
  const connections = new Set<Socket>()
  const routes = { ...standardRoutes(), ...own }
  const server: Server = createServer((request, response) => {
    const { method = '', url = '', rawHeaders } = request
    requests.push({ method, url, rawHeaders })
    const handler = routes[url.split('?', 1)[0] ?? '']
    if (handler) handler(request, response)
    else response.writeHead(404).end('no such page')
  })
  server.keepAliveTimeout = 0
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  const websockets = new WebSocketServer({ server, path: '/ws' })
  websockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  await listening(server)
  return {
    port: portOf(server),
    requests,
    connections,
    close: () => {
      websockets.close()
      for (const socket of connections) socket.destroy()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

function standardRoutes(): Readonly<Record<string, Handler>> {
  const listeners = new Set<ServerResponse>()
  let ticks = 0
  return {
    '/hello': (_request, response) => void response.end('hello'),
    '/echo': (request, response) => {
      response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'text/plain' })
      request.pipe(response)
    },
    '/headers': (request, response) => void response.end(JSON.stringify(request.headers)),
    '/sse': (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
      response.write(`data: ${ticks}\n\n`)
      listeners.add(response)
      response.once('close', () => listeners.delete(response))
    },
    '/tick': (_request, response) => {
      ticks++
      for (const listener of listeners) listener.write(`data: ${ticks}\n\n`)
      response.end(String(ticks))
    },
  }
}
