/**
 * Differential fuzz of the answer parser against llhttp, the parser of Node's own http client: where ours accepts an
 * answer, llhttp reads the same status, fields, body and trailers, and sees the same end. Each input is also read byte
 * by byte and in random pieces, which must give the same, with chunk sizes and without.
 *
 * node shared/http/answer-parser.fuzz.ts --cases 1000000 --seed 7
 */
import { Buffer } from 'node:buffer'
import http from 'node:http'
import { Duplex } from 'node:stream'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { makeAnswer, methods, pick, spoil } from './answer.corpus.ts'
import { AnswerWatch } from './answer.ts'
import { AnswerParser, type Fields } from './answer-parser.ts'
import { makeRandom } from './scanner.corpus.ts'

type Random = () => number
type Outcome = 'whole' | 'waits' | 'broken'
/** What was read of one answer. */
type Reading = {
  heads: { status: number; fields: readonly string[] }[]
  body: string
  trailers: readonly string[]
  outcome: Outcome
}

/** Names and values in turn, as Node lists them. */
function listOf({ bytes, fields }: Fields): readonly string[] {
  return fields.flatMap(({ start, nameEnd, valueStart, valueEnd }) => [
    bytes.toString('latin1', start, nameEnd),
    bytes.toString('latin1', valueStart, valueEnd),
  ])
}

function readHere(method: string, pieces: readonly Buffer[], keepsChunks = false): Reading {
  const reading: Reading = { heads: [], body: '', trailers: [], outcome: 'waits' }
  const parser = new AnswerParser(
    {
      onHead: (head) => reading.heads.push({ status: head.status, fields: listOf(head) }),
      onBody: (bytes) => {
        reading.body += bytes.toString('latin1')
      },
      onEnd: (trailers) => {
        reading.trailers = trailers ? listOf(trailers) : []
        reading.outcome = 'whole'
      },
      onBroken: () => {
        reading.outcome = 'broken'
      },
    },
    { keepsChunks },
  )
  parser.asked(method)
  for (const piece of pieces) parser.heard(piece)
  return reading
}

function cut(bytes: Buffer, random: Random): readonly Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + 1 + Math.floor(random() ** 3 * bytes.length))
    pieces.push(bytes.subarray(at, next))
    at = next
  }
  return pieces
}

/** @throws when the bytes mean something else in other pieces, or where the watch disagrees */
function readInAllWays(method: string, bytes: Buffer, random: Random): Reading {
  const reading = readHere(method, [bytes])
  const singles = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
  const pieces = cut(bytes, random)
  // What a broken answer had before it broke may come in part.
  for (const other of [readHere(method, singles), readHere(method, pieces)])
    if (
      other.outcome !== reading.outcome ||
      (other.outcome !== 'broken' && !isDeepStrictEqual(other, reading))
    )
      throw new Error('split in another way it is another answer')
  const raw = readHere(method, [bytes], true)
  const rawInPieces = readHere(method, pieces, true)
  if (raw.outcome !== reading.outcome || rawInPieces.outcome !== raw.outcome) throw new Error('chunks decide')
  if (raw.outcome === 'broken') return reading
  if (rawInPieces.body !== raw.body) throw new Error('split in another way it has another body')
  const watch = new AnswerWatch()
  watch.asked(method)
  watch.heard(bytes)
  const isWhole = reading.outcome === 'whole'
  // Bytes too many behind a whole answer are the beginning of another one to the watch.
  if (isWhole ? watch.unansweredTotal > 0 : watch.isComplete) throw new Error('the watch sees another end')
  return reading
}

/** How Node's client reads the bytes. */
export async function readThere(method: string, bytes: Buffer): Promise<Reading> {
  const reading: Reading = { heads: [], body: '', trailers: [], outcome: 'waits' }
  const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const agent = new http.Agent()
  agent.createConnection = () => duplex
  const request = http.request({ method, agent, host: 'a.test', maxHeaderSize: 1024 * 1024 })
  request.on('information', ({ statusCode, rawHeaders }) =>
    reading.heads.push({ status: statusCode, fields: rawHeaders }),
  )
  request.on('error', () => {}).on('upgrade', () => {})
  let response: http.IncomingMessage | undefined
  request.on('response', (message) => {
    response = message.on('error', () => {})
    reading.heads.push({ status: message.statusCode ?? 0, fields: message.rawHeaders })
    message.on('data', (chunk: Buffer) => {
      reading.body += chunk.toString('latin1')
    })
  })
  request.end()
  duplex.push(bytes)
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  if (response?.complete) {
    reading.outcome = 'whole'
    reading.trailers = response.rawTrailers
  }
  request.destroy()
  duplex.destroy()
  return reading
}

function isSame(here: Reading, there: Reading): boolean {
  // Behind 101 it is no HTTP any more, and Node hands the connection over.
  if (here.heads.some(({ status }) => status === 101)) return true
  if (here.outcome !== there.outcome) return false
  // Node reads on in turns, so a body that still comes may lag behind.
  if (here.outcome === 'waits') return here.heads.length >= there.heads.length
  return isDeepStrictEqual(here, there)
}

/**
 * Runs `cases` generated answers.
 * @throws with the answer and both readings at the first difference
 */
export async function runCases({ seed, cases }: { readonly seed: number; readonly cases: number }) {
  const random = makeRandom(seed)
  const totals = { whole: 0, waits: 0, broken: 0 }
  for (let i = 0; i < cases; i++) {
    const method = pick(methods, random)
    const bytes = Buffer.from(spoil(makeAnswer(method, random), random), 'latin1')
    const fail = (what: string, more: object = {}) => {
      const report = { seed, case: i, method, answer: bytes.toString('latin1'), ...more }
      return new Error(`${what}: ${JSON.stringify(report)}`)
    }
    try {
      const here = readInAllWays(method, bytes, random)
      totals[here.outcome]++
      if (here.outcome === 'broken') continue
      const there = await readThere(method, bytes)
      if (!isSame(here, there)) throw fail('llhttp reads another answer', { here, there })
    } catch (error) {
      throw error instanceof Error && error.message.includes('"seed"') ? error : fail(String(error))
    }
  }
  return totals
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' } } })
  const seed = Number(values.seed ?? 1)
  const cases = Number(values.cases ?? 100_000)
  process.stdout.write(`${cases} answers, seed ${seed}: ${JSON.stringify(await runCases({ seed, cases }))}\n`)
}
