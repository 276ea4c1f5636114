/** What llhttp, the parser in Node's own http server, reads in bytes: fuzzers compare our scanners with it. */
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import http from 'node:http'
import { Duplex } from 'node:stream'

export type LlhttpRequest = {
  readonly method: string
  readonly target: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}
type Reading = { readonly requests: LlhttpRequest[]; error: string | undefined }

/** llhttp has a fixed list of methods, RFC 9110 does not; it keeps SOURCE for Icecast. */
export const knownMethods: ReadonlySet<string> = new Set(http.METHODS.filter((method) => method !== 'SOURCE'))

export class Llhttp {
  readonly #server = http.createServer({ maxHeaderSize: 1024 * 1024, keepAliveTimeout: 0 })
  /** By connection, because requests of one connection come one after the other, but those of several in any order. */
  readonly #readings = new Map<unknown, Reading>()

  constructor() {
    const onRequest = (request: http.IncomingMessage, response: http.ServerResponse) => {
      const { method = '', url: target = '', headers, socket } = request
      const reading = this.#readings.get(socket)
      const body: Buffer[] = []
      request.on('data', (chunk: Buffer) => body.push(chunk))
      request.on('end', () => {
        reading?.requests.push({ method, target, headers, body: Buffer.concat(body).toString('latin1') })
        response.end()
      })
      request.on('error', () => response.destroy())
    }
    this.#server.on('request', onRequest).on('checkExpectation', onRequest)
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const reading = this.#readings.get(socket)
      if (reading) reading.error ??= error.code ?? error.message
      // Requests before the bad one are parsed, but their 'end' is still to come.
      setImmediate(() => socket.destroy())
    })
  }

  /** Reads the bytes of one connection, each part by itself. */
  async read(...parts: readonly Buffer[]): Promise<Reading> {
    const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    const reading: Reading = { requests: [], error: undefined }
    this.#readings.set(duplex, reading)
    const closed = once(duplex, 'close')
    this.#server.emit('connection', duplex)
    for (const part of parts) {
      duplex.push(part)
      if (parts.length > 1) await new Promise((resolve) => setImmediate(resolve))
    }
    duplex.push(null)
    await closed
    this.#readings.delete(duplex)
    return reading
  }
}

/** The slow, obvious reading of a chunked body that is known to be well formed. */
export function decodeChunks(text: string): string {
  let rest = text
  let data = ''
  for (;;) {
    const lineEnd = rest.indexOf('\r\n')
    const size = Number.parseInt(rest, 16)
    if (Number.isNaN(size)) throw new Error(`no chunk size: ${JSON.stringify(text)}`)
    if (size === 0) return data
    data += rest.slice(lineEnd + 2, lineEnd + 2 + size)
    rest = rest.slice(lineEnd + 4 + size)
  }
}
