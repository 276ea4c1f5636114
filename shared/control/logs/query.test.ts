import { describe, expect, test } from 'vitest'
import { withoutSecrets } from '../../base/redacting.ts'
import { readLogLine } from './line.ts'
import { parseLogQuery } from './query.ts'

const now = Date.UTC(2026, 0, 31, 12)
const parse = (text: string) => parseLogQuery(text, now)

describe('a search of the log', () => {
  test.each([
    ['', { words: [] }],
    ['sync failed', { words: ['sync', 'failed'] }],
    ['"sync failed" soon', { words: ['sync failed', 'soon'] }],
    ['code:PT-5108', { words: [], code: 'PT-5108' }],
    ['code:pt5108', { words: [], code: 'PT-5108' }],
    ['level>=warning', { words: [], levelMin: 'warn' }],
    ['level:error', { words: [], levelMin: 'error' }],
    ['since:90s', { words: [], from: now - 90_000 }],
    ['until:2026-01-31T12:00:00Z', { words: [], to: now }],
    ['relay:r1 source:relay', { words: [], relay: 'r1', source: 'relay' }],
    ['https://example.com/x', { words: ['https://example.com/x'] }],
    ['"12:30"', { words: ['12:30'] }],
  ])('%s', (text, query) => expect(parse(text)).toEqual(query))

  test.each([
    ['colour:red', '"colour" is no field'],
    ['code:12', '"code:12" says no code.'],
    ['level>=loud', 'says no level.'],
    ['since:soon', 'says no since.'],
    ['relay:"r 1"', 'says no relay.'],
    ['relay:r1 relay:r2', '"relay:r2" is said twice.'],
    ['"open', 'not closed'],
    ['---', 'no letter or digit'],
    ['a '.repeat(21), 'more than 20 words'],
    ['x'.repeat(501), 'more than 500 characters'],
  ])('%s is refused, and it says why', (text, why) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ key: 'logs.search', detail: expect.stringContaining(why) }),
    )
  })
})

describe('a line of the log', () => {
  const read = (text: string) => readLogLine(text, { source: 'control' }, now)

  test('of the demo agent', () => {
    const at = '2026-01-31T11:00:00.000Z'
    expect(
      read(JSON.stringify({ event: 'relay.lost', at, relay: 'r1', problem: { code: 'PT-4101' } })),
    ).toMatchObject({
      at: Date.parse(at),
      level: 'warn',
      message: 'relay.lost',
      code: 'PT-4101',
    })
  })

  test.each([
    'null',
    '[1]',
    '"x"',
    '{}',
    '{"msg":1}',
    '{"level":{},"msg":"m"}',
    '\0',
    '{"msg":"m","time":1e300}',
  ])('%s is a line, too', (text) => expect(read(text).at).toBe(now))

  test('of any length and depth is kept short', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`)
    const line = read(JSON.stringify({ level: 30, msg: 'm'.repeat(10_000), deep, wide: 'w'.repeat(100_000) }))
    expect(JSON.stringify(line).length).toBeLessThan(20_000)
  })
})

test.each([
  'acc_01k00000000000000000000000',
  'PT-5108',
  'ptun_visitors_total',
  'https://example.com/a?b=1',
  'token refused',
])('%s is no secret', (text) => expect(withoutSecrets(text)).toBe(text))

const slow = ['-eyJ'.repeat(16_000), '://:'.repeat(16_000), '-----BEGIN '.repeat(6_000)]

test.each(slow)('a line that is made to be slow is not', (text) => {
  const begun = performance.now()
  withoutSecrets(text)
  expect(performance.now() - begun).toBeLessThan(1_000)
})
