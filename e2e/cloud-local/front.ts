/**
 * Stands in front of everything, as Firebase Hosting does in the cloud: it serves the console's files, and hands paths
 * to functions as firebase.json says. It adds what Google's front end adds to a request: its origin, and a trace.
 */
import { randomBytes } from 'node:crypto'
import {
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { listenerOf, makeWeb, type WebOptions } from '../../standalone/web-server.ts'

export type FrontOptions = Pick<WebOptions, 'files' | 'liveOrigins' | 'signIn'> & {
  /** The port of the running function that a path belongs to, if any. */
  readonly functionOf: (path: string) => number | undefined
}

/** Headers that are not forwarded (RFC 9110, section 7.6.1). */
const hopHeaders = [
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'proxy-connection',
]

export function makeFront({ functionOf, ...pages }: FrontOptions): RequestListener {
  const api = () => new Response('Starting.\n', { status: 503 })
  const web = makeWeb({ ...pages, isHttps: false, names: [], api })
  const listen = listenerOf(web)
  return (request, response) => {
    const port = functionOf(request.url ?? '/')
    if (port === undefined) void listen(request, response)
    else handOn(request, response, port)
  }
}

function handOn(request: IncomingMessage, response: ServerResponse, port: number): void {
  const outgoing = httpRequest(
    {
      host: '127.0.0.1',
      port,
      method: request.method,
      path: request.url,
      headers: headersOf(request),
      agent: false,
    },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, withoutHops(answer.headers))
      answer.once('error', () => response.destroy()).pipe(response)
    },
  )
  // A request may be answered before it is whole: its rest is read and dropped, because the connection's next request
  // comes behind it.
  const letGo = () => {
    request.unpipe(outgoing)
    request.resume()
    outgoing.destroy()
  }
  outgoing.on('error', () => {
    letGo()
    if (!response.headersSent)
      response.writeHead(502, { 'content-type': 'text/plain' }).end('The function does not answer.\n')
  })
  response.once('close', letGo)
  request.pipe(outgoing)
}

function headersOf(request: IncomingMessage): Record<string, string | string[] | undefined> {
  const seen = request.socket.remoteAddress ?? 'unknown'
  const claimed = request.headers['x-forwarded-for']
  const trace = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
  return {
    ...withoutHops(request.headers),
    // Otherwise the function ends the connection with its answer, and bytes still to come would reset both.
    connection: 'keep-alive',
    'x-forwarded-for': claimed === undefined ? seen : `${claimed}, ${seen}`,
    'x-forwarded-host': request.headers.host,
    traceparent: request.headers.traceparent ?? trace,
  }
}

function withoutHops(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopHeaders.includes(name)))
}
