/**
 * Fuzz of the bridge: an upstream that speaks HTTP/2 gets exactly those requests that llhttp reads in the same bytes,
 * with the same bodies, in order, however the bytes are split.
 *
 *   node cli/http/upstream-h2/bridge.fuzz.ts --cases 100000 --seed 7
 */
import { once } from 'node:events'
import http2 from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { systemClock } from '@porttunneler/shared/base/clock'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import { makeInput, makeRandom } from '@porttunneler/shared/http/scanner.corpus'
import { Turn } from '@porttunneler/shared/mux/turn'
import { knownMethods, Llhttp } from '@porttunneler/shared/testing/llhttp'
import { Bridge } from './bridge.ts'
import { UpstreamSessions } from './sessions.ts'

type Request = {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly body: string
}

/** The part of an input that the scanner accepts, and what llhttp cannot be asked about. */
function acceptedOf(input: Buffer): { bytes: Buffer; isStrange: boolean } {
  const scanner = new RequestScanner()
  scanner.push(input)
  const parts: Buffer[] = []
  let isStrange = false
  for (let event = scanner.next(); event && event.kind !== 'refused'; event = scanner.next()) {
    parts.push(event.bytes)
    if (event.kind === 'head') isStrange ||= event.wantsUpgrade || !knownMethods.has(event.method)
  }
  return { bytes: Buffer.concat(parts), isStrange: isStrange || /\nupgrade/i.test(input.toString('latin1')) }
}

async function readBy(llhttp: Llhttp, bytes: Buffer): Promise<readonly Request[]> {
  const { requests } = await llhttp.read(bytes)
  return requests.map(({ method, target, headers, body }) => {
    // An absolute target says the host too, for HTTP/1.0 alone.
    const [, authority, path] = /^https?:\/\/([^/?]+)(.*)$/i.exec(target) ?? [undefined, undefined, target]
    const bare = method === 'OPTIONS' && path === '' ? '*' : path?.startsWith('/') ? path : `/${path}`
    return { method, path: path === '*' ? '*' : bare, host: headers.host ?? authority ?? '', body }
  })
}

class Http2Reader {
  readonly #server = http2.createServer({
    maxHeaderListPairs: 1_000,
    strictSingleValueFields: false,
  } as http2.ServerOptions)
  #sessions: UpstreamSessions | undefined
  #requests: Request[] = []

  async open(): Promise<void> {
    this.#server.on('stream', (stream, fields) => {
      const body: Buffer[] = []
      stream.on('error', () => {})
      stream.on('data', (chunk: Buffer) => body.push(chunk))
      stream.on('end', () => {
        if (stream.aborted || stream.destroyed) return
        this.#requests.push({
          method: fields[':method'] ?? '',
          path: fields[':path'] ?? '',
          host: fields[':authority'] ?? '',
          body: Buffer.concat(body).toString('latin1'),
        })
        stream.respond({ ':status': 204 }, { endStream: true })
      })
    })
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const { port } = this.#server.address() as AddressInfo
    this.#sessions = new UpstreamSessions({
      clock: systemClock,
      scheme: 'http',
      name: 'fuzz',
      dial: ({ onConnect }) => {
        const socket = connect(port, '127.0.0.1', () => onConnect(socket))
        return () => socket.destroy()
      },
    })
  }

  close(): void {
    this.#sessions?.close()
    this.#server.close()
  }

  /** What the upstream gets when the bytes come in random pieces. */
  async read(input: Buffer, random: () => number): Promise<readonly Request[]> {
    if (!this.#sessions) throw new Error('open it first')
    this.#requests = []
    const over = Promise.withResolvers<void>()
    let consumed = 0
    const nothing = () => {}
    const bridge = new Bridge(
      {
        write: () => true,
        end: nothing,
        resetBehind: nothing,
        consumed: (bytes) => {
          consumed += bytes
        },
      },
      {
        sessions: this.#sessions,
        clock: systemClock,
        turn: new Turn(),
        name: 'fuzz',
        awaitsUpgrade: false,
        onFirst: nothing,
        onAnswer: nothing,
        onProblem: (failure) =>
          over.reject(new Error(`${failure.message}: ${JSON.stringify(input.toString('latin1'))}`)),
        onEnd: () => over.resolve(),
      },
    )
    for (let at = 0; at < input.length; ) {
      const next = at + 1 + Math.floor(random() * input.length)
      // The stream uses its memory again.
      const piece = Buffer.from(input.subarray(at, next))
      bridge.onData(piece)
      piece.fill(0)
      at = next
    }
    bridge.onFin()
    await over.promise
    if (consumed !== input.length) throw new Error(`${consumed} of ${input.length} bytes were credited`)
    return this.#requests
  }
}

/**
 * Runs `cases` generated inputs.
 * @throws with the input and both readings at the first difference
 */
export async function runCases({ seed, cases }: { readonly seed: number; readonly cases: number }) {
  const random = makeRandom(seed)
  const [llhttp, upstream] = [new Llhttp(), new Http2Reader()]
  await upstream.open()
  let accepted = 0
  try {
    for (let i = 0; i < cases; i++) {
      // llhttp refuses UTF-8 in a target, which the scanner accepts.
      const input = Buffer.from(
        makeInput(random)
          .toString('latin1')
          .replace(/[\x80-\xff]/g, 'e'),
        'latin1',
      )
      const { bytes, isStrange } = acceptedOf(input)
      if (isStrange) continue
      const wanted = await readBy(llhttp, bytes)
      const got = await upstream.read(input, random)
      accepted += got.length
      if (isDeepStrictEqual(wanted, got)) continue
      throw new Error(
        `the upstream gets other requests: ${JSON.stringify({ seed, case: i, input: input.toString('latin1'), wanted, got })}`,
      )
    }
  } finally {
    upstream.close()
  }
  return { accepted }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' } } })
  const seed = Number(values.seed ?? 1)
  const cases = Number(values.cases ?? 20_000)
  const { accepted } = await runCases({ seed, cases })
  process.stdout.write(
    `${cases} inputs, ${accepted} requests that HTTP/2 carried as llhttp reads them (seed ${seed})\n`,
  )
}
