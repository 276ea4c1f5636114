/**
 * Differential fuzz of the answer watch against llhttp, the parser of Node's own http client. An answer that the watch
 * calls complete is complete there with the same byte, and one that the watch still waits for is not complete there
 * either. Where the watch gives up (`untilEnd`), llhttp may see an end; then nobody writes anything after it, so that
 * is fine.
 *
 * node shared/http/answer.fuzz.ts --cases 1000000 --seed 7
 */
import { Buffer } from 'node:buffer'
import http from 'node:http'
import { Duplex } from 'node:stream'
import { parseArgs } from 'node:util'
import { makeAnswer, methods, pick, spoil } from './answer.corpus.ts'
import { AnswerWatch } from './answer.ts'
import { makeRandom } from './scanner.corpus.ts'

type Random = () => number
/** For one answer: how many of its bytes were read, and the result. */
type Verdict = { readonly bytes: number; readonly kind: 'whole' | 'waits' | 'refused' }

function verdictOf(watch: AnswerWatch): Verdict['kind'] {
  if (watch.isComplete) return 'whole'
  return watch.isEndless ? 'refused' : 'waits'
}

/**
 * Reads byte by byte up to the end of the answer, and also all at once and in random pieces, which must give the same.
 */
function readHere(method: string, bytes: Buffer, random: Random): Verdict {
  const watch = new AnswerWatch()
  watch.asked(method)
  let end = 0
  while (end < bytes.length && !watch.isComplete && !watch.isEndless) watch.heard(bytes.subarray(end, ++end))
  const verdict: Verdict = { bytes: end, kind: verdictOf(watch) }
  const [atOnce, inPieces] = [new AnswerWatch(), new AnswerWatch()]
  for (const other of [atOnce, inPieces]) other.asked(method)
  atOnce.heard(bytes.subarray(0, end))
  for (let at = 0; at < end; ) {
    const next = Math.min(end, at + 1 + Math.floor(random() * end))
    inPieces.heard(bytes.subarray(at, next))
    at = next
  }
  for (const other of [atOnce, inPieces])
    if (verdictOf(other) !== verdict.kind || other.mayFollow !== watch.mayFollow)
      throw new Error(
        `split in another way it is another answer: ${JSON.stringify(bytes.toString('latin1'))}`,
      )
  return verdict
}

/** How Node's client reads the bytes: whether all but the last complete the answer, and whether all do. */
async function readThere(method: string, bytes: Buffer): Promise<readonly [early: boolean, whole: boolean]> {
  const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const agent = new http.Agent()
  agent.createConnection = () => duplex
  const request = http.request({ method, agent, host: 'a.test', maxHeaderSize: 1024 * 1024 })
  let response: http.IncomingMessage | undefined
  request.on('response', (message) => {
    response = message.resume()
    message.on('error', () => {})
  })
  request.on('error', () => {}).on('upgrade', () => {})
  request.end()
  const isComplete = async (part: Buffer) => {
    duplex.push(part)
    await new Promise((resolve) => setImmediate(resolve))
    return response?.complete ?? false
  }
  const early = bytes.length > 1 && (await isComplete(bytes.subarray(0, -1)))
  const whole = await isComplete(bytes.subarray(-1))
  request.destroy()
  duplex.destroy()
  return [early, whole]
}

/**
 * Runs `cases` generated answers.
 * @throws with the answer and both readings at the first difference
 */
export async function runCases({ seed, cases }: { readonly seed: number; readonly cases: number }) {
  const random = makeRandom(seed)
  const totals = { whole: 0, waits: 0, refused: 0 }
  for (let i = 0; i < cases; i++) {
    const method = pick(methods, random)
    const bytes = Buffer.from(spoil(makeAnswer(method, random), random), 'latin1')
    const { kind, bytes: read } = readHere(method, bytes, random)
    totals[kind]++
    if (kind === 'refused') continue
    const [early, whole] = await readThere(method, bytes.subarray(0, read))
    if (!early && whole === (kind === 'whole')) continue
    const report = { seed, case: i, method, answer: bytes.toString('latin1'), kind, read, early, whole }
    throw new Error(`llhttp sees another end: ${JSON.stringify(report)}`)
  }
  return totals
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' } } })
  const seed = Number(values.seed ?? 1)
  const cases = Number(values.cases ?? 100_000)
  process.stdout.write(`${cases} answers, seed ${seed}: ${JSON.stringify(await runCases({ seed, cases }))}\n`)
}
