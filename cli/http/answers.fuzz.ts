/**
 * Fuzz of the stages that change answers, beside node:http: of each answer that is passed on, Node's client reads the
 * same status, body, trailers and end with stages as without, and the same fields but for those that the stages name.
 *
 *   node cli/http/answers.fuzz.ts --cases 1000000 --seed 7
 */
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { makeAnswer, methods, pick, spoil } from '@porttunneler/shared/http/answer.corpus'
import { readThere } from '@porttunneler/shared/http/answer-parser.fuzz'
import { makeRandom } from '@porttunneler/shared/http/scanner.corpus'
import { EditedAnswers } from './answers.ts'
import { answerHeaderStage } from './stages/headers.ts'
import { hstsStage } from './stages/hsts.ts'

const stages = [
  hstsStage({ maxAgeSeconds: 60, includeSubDomains: false }),
  answerHeaderStage({
    remove: ['Content-Type', 'set-cookie', 'D'],
    set: { B: 'set' },
    add: { 'X-New': ['1', '2'] },
  }),
]
const gone = new Set(['content-type', 'set-cookie', 'd', 'b'])
const added = ['Strict-Transport-Security', 'max-age=60', 'B', 'set', 'X-New', '1', 'X-New', '2']

/** The fields of a final head, as the stages should leave them. */
function edited(fields: readonly string[]): readonly string[] {
  const kept: string[] = []
  for (let at = 0; at < fields.length; at += 2)
    if (!gone.has((fields[at] ?? '').toLowerCase())) kept.push(fields[at] ?? '', fields[at + 1] ?? '')
  return [...kept, ...added]
}

function pass(method: string, bytes: Buffer, random: () => number) {
  const passed: Buffer[] = []
  let isBroken = false
  const answers = new EditedAnswers({
    stages,
    write: (part) => {
      passed.push(Buffer.from(part))
      return true
    },
    onBroken: () => {
      isBroken = true
    },
  })
  answers.asked({ method, isHttps: true, bytes: Buffer.alloc(0), host: 'a.test' })
  for (let at = 0; at < bytes.length && !isBroken; ) {
    const next = Math.min(bytes.length, at + 1 + Math.floor(random() ** 3 * bytes.length))
    answers.pass(bytes.subarray(at, next))
    at = next
  }
  return { passed: Buffer.concat(passed), isBroken }
}

/**
 * Runs `cases` generated answers.
 * @throws with the answer and both readings at the first difference
 */
export async function runCases({ seed, cases }: { readonly seed: number; readonly cases: number }) {
  const random = makeRandom(seed)
  let alike = 0
  for (let i = 0; i < cases; i++) {
    const method = pick(methods, random)
    const bytes = Buffer.from(spoil(makeAnswer(method, random), random), 'latin1')
    const { passed, isBroken } = pass(method, bytes, random)
    // Behind 101 it is no HTTP any more.
    if (isBroken || /^HTTP\/1\.\d 101/m.test(bytes.toString('latin1'))) continue
    const without = await readThere(method, bytes)
    const withStages = await readThere(method, passed)
    const heads = without.heads.map(({ status, fields }) => ({
      status,
      fields: status < 200 ? fields : edited(fields),
    }))
    if (!isDeepStrictEqual(withStages, { ...without, heads })) {
      const report = { seed, case: i, method, answer: bytes.toString('latin1'), without, withStages }
      throw new Error(`with stages it is another answer: ${JSON.stringify(report)}`)
    }
    alike += heads.length > 0 ? 1 : 0
  }
  return { alike }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' } } })
  const seed = Number(values.seed ?? 1)
  const cases = Number(values.cases ?? 100_000)
  const { alike } = await runCases({ seed, cases })
  process.stdout.write(`${cases} answers, ${alike} read alike with stages and without (seed ${seed})\n`)
}
