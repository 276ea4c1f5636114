import { stripVTControlCharacters } from 'node:util'
import { codes, fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { type AgentEvent, problemOf } from '../agent/events.ts'
import type { Context } from '../context.ts'
import { snapshotWith } from '../testing/live-view.ts'
import { openAgentOutput } from './agent-output.ts'
import { formatDuration, formatProblem, formatTable, paintFor, printable } from './format.ts'
import { sentenceOf } from './lines.ts'

const plain = paintFor(false, {})
const problem = problemOf(fail('upstream.refused', 'localhost:3000 answered ECONNREFUSED'))

test('what is free instead of a taken name is told, and programs get it as a list', () => {
  const taken = fail('endpoint.name_taken', 'Somebody else has the name x.test.', {
    fields: { suggestions: ['x-otter', 'brave-x'] },
  })
  const stopped = { event: 'tunnel.stopped', tunnel: 'x', problem: problemOf(taken) } as const
  expect(stopped.problem.suggestions).toEqual(['x-otter', 'brave-x'])
  expect(sentenceOf([stopped], { isVerbose: false })).toMatch(/PT-2310 .* Free: x-otter, brave-x\.$/)
})

const event: AgentEvent = { event: 'upstream.failed', tunnel: 'web', upstream: 'localhost:3000', problem }
const visit: AgentEvent = { event: 'connection.opened', tunnel: 'web', visitor: '192.0.2.1:5', connectMs: 1 }

function open(options: Partial<Context> & { isTerminal?: boolean } = {}) {
  const clock = new FakeClock(Date.UTC(2026, 0, 1, 12))
  const written: string[] = []
  const output = {
    isTTY: options.isTerminal === true,
    columns: 80,
    rows: 24,
    write: (text: string) => written.push(text),
  }
  const context: Context = {
    env: {},
    stdout: output,
    stderr: output,
    clock,
    random: () => 0,
    isJson: false,
    isVerbose: false,
    ...options,
  }
  return { agent: openAgentOutput(context, () => snapshotWith()), written, clock }
}

describe('output of an agent', () => {
  test('without a terminal every event is a line with the time', () => {
    const { agent, written } = open()
    agent.onEvent(event)
    agent.onEvent(visit)
    expect(written).toHaveLength(1)
    expect(written[0]).toMatch(/^2026-01-01T12:00:00.000Z web: a visitor was turned away: PT-6040 .*\n$/)
  })

  test('--json writes one object a line and nothing else', () => {
    const { agent, written } = open({ isJson: true })
    agent.onEvent(event)
    agent.onEvent(visit)
    agent.print(['a QR code'])
    agent.close()
    expect(written.map((line) => JSON.parse(line))).toEqual([{ at: '2026-01-01T12:00:00.000Z', ...event }])
  })

  test('--verbose tells single connections', () => {
    const { agent, written } = open({ isVerbose: true, isJson: true })
    agent.onEvent(visit)
    expect(JSON.parse(written[0] ?? '')).toMatchObject(visit)
  })

  test('a terminal that can do nothing gets lines', () => {
    const { agent, written } = open({ isTerminal: true, env: { TERM: 'dumb' } })
    agent.onEvent(event)
    expect(written.join('')).not.toContain('\u001b')
    expect(written).toHaveLength(1)
  })

  test('what relays say cannot move the cursor', () => {
    const text = 'evil \u001b[2J\r\ntext'
    const sentence = sentenceOf([{ event: 'relay.notice', relay: 'one', code: 'PT-1', text }], {
      isVerbose: false,
    })
    expect(sentence).toMatch(/^notice from relay one: PT-1 evil\s+text$/)
    expect(printable(text)).not.toContain('\u001b')
  })
})

describe('format', () => {
  test.each([
    [0.4, '0 ms'],
    [999, '999 ms'],
    [1_500, '2 s'],
    [90_000, '90 s'],
    [120_000, '2 min'],
    [7_200_000, '2 h'],
    [300_000_000, '3 d'],
  ])('%d ms are %s', (ms, text) => expect(formatDuration(ms)).toBe(text))

  test('columns line up whatever their colours', () => {
    const red = (text: string) => `\u001b[31m${text}\u001b[39m`
    const lines = formatTable([
      ['a', 'b'],
      [red('long'), 'c'],
    ])
    expect(lines.map((line) => stripVTControlCharacters(line))).toEqual(['a     b', 'long  c'])
  })

  test('NO_COLOR turns colours off, an empty one does not', () => {
    expect(paintFor(true, { NO_COLOR: '1' })('red', 'x')).toBe('x')
    expect(paintFor(true, { NO_COLOR: '' })('red', 'x')).toBe('\u001b[31mx\u001b[39m')
    expect(paintFor(false, {})('red', 'x')).toBe('x')
  })

  test('a failure is told with code, detail and cure', () => {
    expect(formatProblem(problem, plain)).toEqual([
      'PT-6040 Nothing listens at the upstream',
      '  localhost:3000 answered ECONNREFUSED',
      `  ${codes['upstream.refused'].cure}`,
    ])
  })
})
