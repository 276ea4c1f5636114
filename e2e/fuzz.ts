/**
 * `npm run fuzz`: every decoder and the session's state machine against random input, 10 million cases unless told
 * otherwise. A failure prints the seed that repeats it.
 *
 *   npm run fuzz -- --cases 20000000 --seed 7 --only frames
 */
import { runCases as runEdits } from '../cli/http/answers.fuzz.ts'
import { runCases as runGate } from '../cli/http/request-gate.fuzz.ts'
import { runCases as runBridge } from '../cli/http/upstream-h2/bridge.fuzz.ts'
import { runCases as runScanner } from '../relay-vm/listeners/http/scanner.fuzz.ts'
import { runCases as runSniff } from '../relay-vm/listeners/sniff.fuzz.ts'
import { runCases as runAnswers } from '../shared/http/answer.fuzz.ts'
import { runCases as runParser } from '../shared/http/answer-parser.fuzz.ts'
import { runCases as runSession } from '../shared/mux/session.fuzz.ts'
import { runCases as runFrames } from '../shared/protocol/frames.fuzz.ts'
import { runCases as runProxyHeader } from '../shared/protocol/proxy-header.fuzz.ts'
import { readOptions } from './harness/options.ts'

type Run = (options: { seed: number; cases: number }) => unknown

/** Share of the cases: the scanner's reference is a whole http server and takes a thousand times as long. */
const targets: readonly { readonly name: string; readonly share: number; readonly run: Run }[] = [
  { name: 'frames', share: 0.5, run: runFrames },
  { name: 'client-hello', share: 0.24, run: runSniff },
  { name: 'proxy-header', share: 0.05, run: runProxyHeader },
  { name: 'session', share: 0.2, run: runSession },
  { name: 'request-heads', share: 0.01, run: runScanner },
  { name: 'answers', share: 0.01, run: runAnswers },
  { name: 'answer-parser', share: 0.01, run: runParser },
  { name: 'request-gate', share: 0.01, run: runGate },
  { name: 'edited-answers', share: 0.01, run: runEdits },
  { name: 'http2-bridge', share: 0.005, run: runBridge },
]

const values = readOptions({
  name: 'fuzz',
  what: "Every decoder and the session's state machine against random input. A failure prints the seed that repeats it.",
  takes: 'Takes some ten minutes.',
  options: {
    cases: { type: 'string', default: '10000000', value: 'number', says: 'of all targets together' },
    seed: { type: 'string', default: '1', value: 'number', says: 'draws the input' },
    only: {
      type: 'string',
      value: 'target',
      says: `one of them alone: ${targets.map(({ name }) => name).join(', ')}`,
    },
  },
})
if (values.only !== undefined && !targets.some(({ name }) => name === values.only)) {
  process.stderr.write(`There is no target ${values.only}; see --help\n`)
  process.exit(2)
}
const seed = Number(values.seed)
for (const { name, share, run } of targets) {
  if (values.only !== undefined && values.only !== name) continue
  const cases = Math.ceil(Number(values.cases) * (values.only === undefined ? share : 1))
  const startMs = performance.now()
  const outcome = await run({ seed, cases })
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1)
  process.stdout.write(`${name}: ${cases} cases in ${seconds} s, seed ${seed}, ${JSON.stringify(outcome)}\n`)
}
