/**
 * Serves the inspector on the loopback addresses of this machine alone: its page, its API, and live changes as events.
 * Whatever comes is bounded before it is read: heads by Node, bodies here, connections and listeners by number.
 */
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { problemOf } from '../agent/events.ts'
import { errnoOf } from '../paths.ts'
import { refusalOf, safeHeaders, tokenQuery } from './guard.ts'
import type { Inspector } from './inspector.ts'
import { answerCall, type Reply } from './routes.ts'

const inspectorPort = 4_040
/** Ports that are tried behind the usual one; each running agent takes one. */
const portsTried = 20
/** A changed body of a megabyte as JSON text. */
const bodyBytesMax = 8_000_000
const connectionsMax = 64
const listenersMax = 16
const heartbeatMs = 15_000

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
}
const pagePattern = /^\/(?:requests\/\d+|connections)?$/
const assetPattern = /^\/(?:assets\/)?[\w-]+(?:\.[\w-]+)*\.(?:js|css|svg|woff2|txt)$/

export type InspectorServer = {
  readonly url: string
  /** The address of the page with the token behind `#`: who has it sees everything, so it is for the user alone. */
  readonly link: string
  close(): Promise<void>
}

export type ServerOptions = {
  readonly clock: Clock
  /** Undefined: 4040, or the next that is free. 0: any. */
  readonly port?: number | undefined
  /** Where the built page is. */
  readonly folder: string
}

/** @throws inspector.port */
export async function serveInspector(
  inspector: Inspector,
  { clock, port, folder }: ServerOptions,
): Promise<InspectorServer> {
  const listening = { port: 0 }
  const site = new Site(inspector, { clock, folder, listening })
  const server = newServer(site)
  listening.port = await listenOnFirst(server, port)
  // Browsers may ask for localhost by IPv6 first. Where there is none, they ask again.
  const second = newServer(site)
  const hasSecond = await listen(second, listening.port, '::1').then(
    () => true,
    () => false,
  )
  const url = `http://127.0.0.1:${listening.port}`
  return {
    url,
    link: `${url}/#${inspector.token}`,
    close: async () => {
      site.close()
      await Promise.all([closed(server), ...(hasSecond ? [closed(second)] : [])])
    },
  }
}

function newServer(site: Site): Server {
  const server = createServer({ maxHeaderSize: 16_384, requestTimeout: 30_000, headersTimeout: 10_000 })
  server.maxConnections = connectionsMax
  server.on('request', (request, response) => site.answer(request, response))
  server.on('clientError', (_error, socket) => socket.destroy())
  // The agent lives as long as its tunnels, not as this.
  server.unref()
  return server
}

class Site {
  readonly #inspector: Inspector
  readonly #clock: Clock
  readonly #folder: string
  readonly #listening: { readonly port: number }
  readonly #live = new Set<ServerResponse>()

  constructor(
    inspector: Inspector,
    options: {
      readonly clock: Clock
      readonly folder: string
      readonly listening: { readonly port: number }
    },
  ) {
    this.#inspector = inspector
    this.#clock = options.clock
    this.#folder = options.folder
    this.#listening = options.listening
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => response.destroy())
    this.#answer(request, response).catch((error: unknown) => {
      const failure = isFailure(error) ? error : fail('inspector.gone', 'The inspector could not read this.')
      sendFailure(response, failure)
    })
  }

  close(): void {
    for (const response of this.#live) response.destroy()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { token } = this.#inspector
    const refusal = refusalOf(request, { port: this.#listening.port, token })
    if (refusal) throw refusal
    const url = new URL(request.url ?? '/', 'http://inspector')
    const path = url.pathname
    if (path === '/api/live') this.#follow(response)
    else if (path.startsWith('/api/')) {
      const body = await readJson(request)
      url.searchParams.delete(tokenQuery)
      const query = Object.fromEntries(url.searchParams)
      send(response, await answerCall(this.#inspector, { method: request.method ?? '', path, query, body }))
    } else send(response, await this.#page(path))
  }

  async #page(path: string): Promise<Reply> {
    const name = pagePattern.test(path) ? '/index.html' : path
    if (name !== '/index.html' && !assetPattern.test(name))
      throw fail('inspector.gone', 'There is no such page.')
    try {
      return { type: types[extname(name)] ?? 'text/plain', body: await readFile(join(this.#folder, name)) }
    } catch (cause) {
      const why =
        name === '/index.html' ? 'The page was not built: npm run build -w web.' : 'There is no such file.'
      throw fail('inspector.gone', why, { cause })
    }
  }

  /** Says when something has changed; the page then asks for what it shows. */
  #follow(response: ServerResponse): void {
    if (this.#live.size >= listenersMax)
      throw fail('inspector.busy', 'Too many pages of the inspector are open.')
    this.#live.add(response)
    response.writeHead(200, { ...safeHeaders, 'content-type': 'text/event-stream' })
    const { recorder } = this.#inspector
    const tell = () => {
      // A page that does not read gets nothing more until it does.
      if (!response.writableNeedDrain) response.write(`data: {"revision":${recorder.revision}}\n\n`)
    }
    tell()
    const unlisten = recorder.listen(tell)
    const beat = this.#clock.every(heartbeatMs, tell, { background: true })
    response.once('close', () => {
      this.#live.delete(response)
      unlisten()
      beat.clear()
    })
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  if (request.method === 'GET' || request.method === 'HEAD') return undefined
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request) {
    length += part.length
    if (length > bodyBytesMax) throw fail('cli.usage', 'The body of the call is too long.')
    parts.push(part)
  }
  if (length === 0) return undefined
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'))
  } catch (cause) {
    throw fail('cli.usage', 'The body of the call is no JSON.', { cause })
  }
}

function send(response: ServerResponse, { type, body, file }: Reply): void {
  response.writeHead(200, {
    ...safeHeaders,
    'content-type': type,
    ...(file !== undefined && { 'content-disposition': `attachment; filename="${file}"` }),
  })
  response.end(body)
}

function sendFailure(response: ServerResponse, failure: PortTunnelerError): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(failure.entry.http, {
    ...safeHeaders,
    'content-type': 'application/json',
    // What was not read of a body would be taken for the next request.
    connection: 'close',
  })
  response.end(JSON.stringify(problemOf(failure)))
}

async function listenOnFirst(server: Server, wanted: number | undefined): Promise<number> {
  const tries = wanted === undefined ? portsTried : 1
  const first = wanted ?? inspectorPort
  let last: unknown
  for (let port = first; port < first + tries; port++) {
    try {
      await listen(server, port, '127.0.0.1')
      return (server.address() as AddressInfo).port
    } catch (cause) {
      last = cause
      if (errnoOf(cause) !== 'EADDRINUSE') break
    }
  }
  const which = tries === 1 ? `Port ${first}` : `None of the ports ${first} to ${first + tries - 1}`
  throw fail('inspector.port', `${which} can be used (${errnoOf(last)}).`, { cause: last })
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
