/**
 * firestore.googleapis.com and pubsub.googleapis.com in front of the emulators: HTTP/2 by TLS, for callers whose access
 * token came from the metadata server or from Google's sign-in, and for databases that the stack has.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type ClientHttp2Session,
  connect,
  constants,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'

export type GrpcFrontOptions = {
  readonly tls: { readonly key: string; readonly cert: string }
  /** Host to the address of its emulator. */
  readonly emulators: ReadonlyMap<string, string>
  readonly databases: readonly string[]
  isGranted(token: string): boolean
  /** The few calls of Firestore's that are not gRPC, such as the list of backups. */
  rest(request: IncomingMessage, response: ServerResponse): void
  /** The emulator's answer to a call: gRPC's status. */
  onAnswer(method: string, status: string): void
}

const status = { notFound: '5', unauthenticated: '16' } as const

export function makeGrpcFront(options: GrpcFrontOptions): Http2SecureServer {
  const { tls, emulators, databases, isGranted, rest, onAnswer } = options
  const sessions = new Map<string, ClientHttp2Session>()
  const sessionTo = (address: string) => {
    const kept = sessions.get(address)
    if (kept && !kept.closed && !kept.destroyed) return kept
    const made = connect(`http://${address}`)
    made.on('error', () => sessions.delete(address))
    sessions.set(address, made)
    return made
  }
  const server = createSecureServer({ ...tls, allowHTTP1: true })
  // Node would let a listener for requests answer the streams of HTTP/2 too.
  server.removeAllListeners('newListener')
  server.on('request', (request, response) => {
    if (request.httpVersionMajor === 1)
      rest(request as unknown as IncomingMessage, response as unknown as ServerResponse)
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    const [host = ''] = headers[':authority']?.split(':') ?? []
    const address = emulators.get(host)
    const token = headers.authorization?.replace(/^Bearer /, '') ?? ''
    if (address === undefined) return refuse(stream, status.notFound, `no ${host}`)
    if (!isGranted(token)) return refuse(stream, status.unauthenticated, 'no access token of Google')
    if (!isKnown(headers, databases)) return refuse(stream, status.notFound, 'no such database')
    pass(stream, headers, { session: sessionTo(address), onAnswer })
  })
  return server
}

/** Firestore's clients name the database beside each call. */
function isKnown(headers: IncomingHttpHeaders, databases: readonly string[]): boolean {
  const prefix = headers['google-cloud-resource-prefix']
  const [, database] = /\/databases\/([^/]+)$/.exec(typeof prefix === 'string' ? prefix : '') ?? []
  return database === undefined || databases.includes(database)
}

function refuse(stream: ServerHttp2Stream, code: string, message: string): void {
  const headers = { ':status': 200, 'content-type': 'application/grpc' }
  stream.respond({ ...headers, 'grpc-status': code, 'grpc-message': message }, { endStream: true })
  stream.close()
}

/** The emulators take every caller for the owner who says so. */
function pass(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { session, onAnswer }: Pick<GrpcFrontOptions, 'onAnswer'> & { readonly session: ClientHttp2Session },
): void {
  const note = (sent: IncomingHttpHeaders) =>
    onAnswer(String(headers[':path']), String(sent['grpc-status'] ?? ''))
  const outgoing = session.request({ ...headers, ':scheme': 'http', authorization: 'Bearer owner' })
  let trailers: IncomingHttpHeaders = {}
  outgoing.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR))
  stream.once('close', () => outgoing.close(constants.NGHTTP2_CANCEL))
  stream.once('wantTrailers', () => stream.sendTrailers(trailers))
  outgoing.once('trailers', (sent) => {
    trailers = sent
    note(sent)
  })
  outgoing.once('response', (answer, flags) => {
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    stream.respond(answer, isWhole ? { endStream: true } : { waitForTrailers: true })
    if (isWhole) note(answer)
    else outgoing.pipe(stream)
  })
  stream.pipe(outgoing)
}
