/**
 * The console's own HTTP server: the API under /v1 and /.well-known, the pages of the codes under /errors, and the
 * console for everything else. Every answer forbids framing and content sniffing; pages may load and call only what
 * is theirs and the relays' live figures.
 */

import { createServer, type RequestListener, type ServerOptions } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import { errorAnswer, refusalPage, reportAnswer } from '@porttunneler/shared/api/error-pages'
import { type PageNeeds, pageHeaders } from '@porttunneler/shared/api/page-headers'
import { toProblem } from '@porttunneler/shared/api/problem'
import { plainAddress, sourcePath } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { FairPool } from '@porttunneler/shared/base/fair-pool'
import { hostOf, ownNames } from '@porttunneler/shared/base/own-names'
import { sayListenError } from '@porttunneler/shared/base/system-errors'
import { type BothServers, serveBoth } from './both-protocols.ts'
import type { ServerCertificate } from './certified.ts'
import { serveWebFile, type WebFiles } from './web-files.ts'

/** A Fetch handler; `env` carries Node's own request and answer. */
export type Fetch = (request: Request, env: object) => Response | Promise<Response>

export type WebOptions = {
  readonly api: Fetch
  readonly files: WebFiles
  /** Origins of the relays' live figures. */
  readonly liveOrigins: () => readonly string[]
  /** Whether the public address is https: then browsers are told to keep to it. */
  readonly isHttps: boolean
  /** For sign-in by another service in a window of its own; absent: pages open none. */
  readonly signIn?: PageNeeds['signIn']
  /** Host names besides addresses and loopback names. */
  readonly names: readonly string[]
  /** The console's https address, once there is a certificate for it: pages that are asked for by http lead there. */
  readonly secureUrl?: () => string | undefined
}

/** Everything the console's port answers, as one Fetch handler. */
export function makeWeb(options: WebOptions): Fetch {
  const { api, files, liveOrigins, isHttps, signIn, names } = options
  const isOwn = ownNames(names)
  const respond = (request: Request, env: object): Response | Promise<Response> => {
    const { hostname, pathname: path } = new URL(request.url)
    const host = hostOf(hostname) ?? ''
    if (!isOwn(host)) return refuseHost(host, path)
    if (apiPath.test(path)) return api(request, env)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return new Response('Only GET is answered here.\n', { status: 405, headers: { allow: 'GET, HEAD' } })
    const secure = isPlain(request, env) ? options.secureUrl?.() : undefined
    return (
      (secure === undefined ? undefined : toSecure(request, secure)) ??
      errorAnswer(request) ??
      reportAnswer(request) ??
      serveWebFile(files, request) ??
      new Response('Not found.\n', { status: 404 })
    )
  }
  return async (request, env) => {
    const answer = await respond(request, env)
    const headers = pageHeaders({ connect: liveOrigins(), isHttps, ...(signIn && { signIn }) })
    for (const [name, value] of Object.entries(headers))
      if (!answer.headers.has(name)) answer.headers.set(name, value)
    return answer
  }
}

/** By http, and nobody in front may have ended TLS. Children of this machine use the API by http. */
function isPlain(request: Request, env: object): boolean {
  const socket: unknown = Reflect.get(Reflect.get(env, 'incoming') ?? {}, 'socket')
  return (
    socket instanceof Socket && !(socket instanceof TLSSocket) && !request.headers.has('x-forwarded-proto')
  )
}

/** Only if it was asked for by the name that the certificate is for; an address has none. */
function toSecure(request: Request, secure: string): Response | undefined {
  const { hostname, pathname, search } = new URL(request.url)
  const target = new URL(secure)
  if (hostname !== target.hostname) return undefined
  // A path may begin with two slashes, which must not become another host.
  target.pathname = pathname
  target.search = search
  return new Response(null, { status: 302, headers: { location: target.href, 'cache-control': 'no-store' } })
}

const apiPath = /^\/(v1|\.well-known|hooks)(\/|$)/

/** Programs get a problem document, people the page of the code. */
function refuseHost(host: string, path: string): Response {
  const refusal = fail('api.host', `"${host}" is not a name of this server.`)
  if (!apiPath.test(path)) return refusalPage(refusal)
  const problem = toProblem(refusal, { docsUrl: '' })
  return Response.json(problem, {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json' },
  })
}

export type Listening = {
  readonly port: number
  /** Stops accepting, lets running requests end for at most `graceMs`, then cuts them. Idempotent. */
  close(graceMs: number): Promise<void>
}

/** Connections before their first head: when there are more, the oldest of the largest source yields. */
const silentMax = 500
/** All connections: when there are too many, the source with most of them gets no more. */
const connectionsMax = 4_000
/**
 * A head within ten seconds, as at a relay; with its body within two minutes, which is a relay's largest report over a
 * line of 1 Mbit/s. Node looks after them this often.
 */
const times = { headersTimeout: 10_000, requestTimeout: 120_000, connectionsCheckingInterval: 1_000 }
const usualBounds = { silentMax, connectionsMax, times }

type Where = {
  readonly host: string
  readonly port: number
  readonly clock: Clock
  /** The port also answers TLS. */
  readonly certificateOf?: () => ServerCertificate | undefined
  /** Tests replace the usual bounds. */
  readonly bounds?: Partial<typeof usualBounds>
}

/** Listens; `port` 0 lets the system choose. @throws standalone.port_taken, .port_denied, .address */
export function listen(handler: Fetch, where: Where): Promise<Listening> {
  return listenWith(listenerOf(handler), where)
}

/** A Fetch handler as Node's HTTP server calls one. */
export function listenerOf(handler: Fetch): RequestListener {
  return getRequestListener(handler)
}

/** `listen` for a server that is not a Fetch handler. */
export async function listenWith(
  listener: RequestListener,
  { host, port, clock, certificateOf, bounds: otherBounds }: Where,
): Promise<Listening> {
  const bounds = { ...usualBounds, ...otherBounds }
  const { front, servers } = certificateOf
    ? serveBoth(bounds.times, listener, certificateOf)
    : serveOne(bounds.times, listener)
  const silent = new FairPool<Socket>({ limit: bounds.silentMax, yields: 'oldest' })
  const all = new FairPool<Socket>({ limit: bounds.connectionsMax, yields: 'newest' })
  const sourceOf = (socket: Socket) => sourcePath(plainAddress(socket.remoteAddress ?? ''))
  const awaitHead = (socket: Socket) => {
    if (!socket.destroyed) silent.add(socket, sourceOf(socket), () => socket.destroy())
  }
  front.prependListener('connection', (socket: Socket) => {
    const refusedAt = all.add(socket, sourceOf(socket), () => socket.destroy())
    if (refusedAt !== undefined) return void socket.destroy()
    awaitHead(socket)
    socket.once('close', () => {
      silent.remove(socket)
      all.remove(socket)
    })
  })
  for (const server of servers)
    server.prependListener('request', ({ socket: spoken }, response) => {
      const socket = rawOf(spoken)
      silent.remove(socket)
      response.once('close', () => awaitHead(socket))
    })
  await new Promise<void>((resolve, reject) => {
    // For good: an accept that the system refuses later (no descriptors) costs that connection, not the server.
    front.on('error', (error) => reject(listenFailure(error, `${host} port ${port}`)))
    front.listen({ host, port, exclusive: true }, resolve)
  })
  let closing: Promise<void> | undefined
  return {
    port: (front.address() as AddressInfo).port,
    close: (graceMs) => {
      closing ??= closeServers({ front, servers }, { graceMs, clock })
      return closing
    },
  }
}

function serveOne(times: ServerOptions, listener: RequestListener): BothServers {
  const server = createServer(times, listener)
  return { front: server, servers: [server] }
}

/** The socket below TLS, which the pools know. */
function rawOf(socket: Socket): Socket {
  const parent: unknown = socket instanceof TLSSocket ? Reflect.get(socket, '_parent') : undefined
  return parent instanceof Socket ? parent : socket
}

function closeServers(
  { front, servers }: BothServers,
  { graceMs, clock }: { graceMs: number; clock: Clock },
): Promise<void> {
  const timer = clock.after(graceMs, () => {
    for (const server of servers) server.closeAllConnections()
  })
  return new Promise((resolve) => {
    front.close(() => {
      timer.clear()
      resolve()
    })
    for (const server of servers) {
      // A server that does not listen itself still has its connections watched.
      if (server !== front) server.close(() => undefined)
      server.closeIdleConnections()
    }
  })
}

const listenKeys: Readonly<Record<string, ErrorKey | undefined>> = {
  EADDRINUSE: 'standalone.port_taken',
  EACCES: 'standalone.port_denied',
  EADDRNOTAVAIL: 'standalone.address',
}

/** What a failed listen(2) means to the person who started the server. */
function listenFailure(error: Error, where: string): Error {
  const key = 'code' in error ? listenKeys[String(error.code)] : undefined
  const detail = `${where} cannot be listened on${sayListenError(error)}`
  return fail(key ?? 'standalone.listen', detail, { cause: error })
}
