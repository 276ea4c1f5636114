/** Whatever an upstream answers reaches a visitor who speaks HTTP/2 as the parser reads it, or not at all. */
import { Buffer } from 'node:buffer'
import { makeAnswer, methods, pick, spoil } from '@porttunneler/shared/http/answer.corpus'
import { AnswerParser } from '@porttunneler/shared/http/answer-parser'
import { makeRandom } from '@porttunneler/shared/http/scanner.corpus'
import { expect, test } from 'vitest'
import { say, useRigs } from '../../testing/http-rig.ts'
import { ask, asked, over } from '../../testing/http2-visitor.ts'

const startRig = useRigs()
const cases = 400
const seed = 20_261_133

/** Status and body of the answer in these bytes, after which the upstream ends; undefined: it is not whole. */
function read(method: string, text: string): { status: number; text: string } | undefined {
  const answer = { status: 0, text: '' }
  let isWhole = false
  const parser = new AnswerParser({
    onHead: ({ status }) => {
      answer.status = status
    },
    onBody: (bytes) => {
      answer.text += bytes.toString('latin1')
    },
    onEnd: () => {
      isWhole = true
    },
    onBroken() {},
  })
  parser.asked(method)
  parser.heard(Buffer.from(text, 'latin1'))
  parser.ended()
  // 101 is no answer in HTTP/2, and 205 is whole with its head.
  if (answer.status === 101) return undefined
  if (answer.status === 205) return { status: 205, text: '' }
  return isWhole ? answer : undefined
}

test('http/2 visitor: each request ends as the parser reads its answer, and none that is cut short looks whole', async () => {
  const random = makeRandom(seed)
  const rig = await startRig({ isHttp2: true })
  const client = rig.connect()
  const totals = { whole: 0, broken: 0 }
  for (let index = 0; index < cases; index++) {
    const method = pick(methods, random)
    const text = spoil(makeAnswer(method, random), random)
    // What is not safe to repeat gets a stream of its own here, because each upstream ends.
    const call = ask(client, { ':path': `/${index}`, ':method': method })
    const upstream = await rig.upstream(index)
    await asked(upstream, `/${index}`)
    say(upstream, text)
    upstream.stream.end()
    await over(call)
    const wanted = read(method, text)
    totals[wanted ? 'whole' : 'broken']++
    const seen = { status: call.status, text: call.text, code: call.code }
    const report = JSON.stringify({ seed, index, method, text })
    if (wanted) expect(seen, report).toEqual({ ...wanted, code: 0 })
    else expect(seen.status === 502 || seen.code !== 0, report).toBe(true)
  }
  expect(totals.whole).toBeGreaterThan(cases / 5)
  expect(totals.broken).toBeGreaterThan(cases / 5)
})
