import { fail } from '@porttunneler/shared/base/errors'
import type { LogLine } from '@porttunneler/shared/control/logs/line'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expect, test } from 'vitest'
import { lineText, showLogs } from './logs.ts'

const line = (n: number): LogLine => ({
  id: `${n}`,
  at: n,
  level: 'warn',
  source: 'relay',
  relay: 'r1',
  message: `line ${n}`,
  fields: {},
})

/** Answers each order with the next of `pages`, and ends with the last. */
async function follow(pages: readonly (readonly LogLine[] | Error)[]) {
  const clock = new FakeClock(100_000)
  const end = new AbortController()
  const shown: string[] = []
  const troubles: string[] = []
  const asked: object[] = []
  const order = async (_: string, wish: object) => {
    asked.push(wish)
    const page = pages[asked.length - 1] ?? []
    if (asked.length === pages.length) end.abort()
    if (page instanceof Error) throw page
    return page
  }
  const show = (lines: readonly LogLine[]) => void shown.push(...lines.map(({ message }) => message))
  const onTrouble = ({ code }: { readonly code: string }) => void troubles.push(code)
  const done = showLogs(
    order,
    { query: ['sync', 'code:PT-5108'], limit: 10, follow: true },
    { show, onTrouble, clock, signal: end.signal },
  )
  let isOver = false
  const settle = () => {
    isOver = true
  }
  done.then(settle, settle)
  while (!isOver) {
    await new Promise(setImmediate)
    clock.advance(3_000)
  }
  await done
  return { shown, troubles, asked }
}

test('following shows each line once, in the order of their times, and asks from a little before the newest', async () => {
  const { shown, asked } = await follow([
    [line(60_002), line(60_001)],
    [line(60_004), line(60_002)],
    [line(60_004), line(60_003)],
    [],
  ])
  expect(shown).toEqual(['line 60001', 'line 60002', 'line 60004', 'line 60003'])
  expect(asked.slice(0, 3)).toEqual([
    { query: 'sync code:PT-5108', limit: 10 },
    { query: 'sync code:PT-5108', limit: 1_000, from: 45_002, again: true },
    { query: 'sync code:PT-5108', limit: 1_000, from: 45_004, again: true },
  ])
})

test('following outlives a server that restarts, and says so once; a search that is wrong ends it', async () => {
  const away = fail('operator.unreachable')
  const { shown, troubles } = await follow([[line(1)], away, away, [line(2), line(1)], away, []])
  expect([shown, troubles]).toEqual([
    ['line 1', 'line 2'],
    ['PT-5308', 'PT-5308'],
  ])
  await expect(follow([[], fail('logs.search'), []])).rejects.toMatchObject({ key: 'logs.search' })
})

test('a line is one line, without signs that control the terminal', () => {
  const fields = { error: { message: 'a\nb' }, from: '\u001b[31mred' }
  expect(lineText({ ...line(0), code: 'PT-5108', fields })).toBe(
    '1970-01-01 00:00:00.000 warn  relay r1  line 0  code=PT-5108 error={"message":"a\\nb"} from=red',
  )
})
