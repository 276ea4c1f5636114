import { stripVTControlCharacters } from 'node:util'
import { codes, fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { type AgentEvent, type AgentSnapshot, problemOf, type TunnelStatus } from '../agent/events.ts'
import type { Context } from '../context.ts'
import { openAgentOutput } from './agent-output.ts'
import { formatDuration, formatProblem, formatTable, paintFor, printable, widthOf } from './format.ts'
import { sentenceOf } from './lines.ts'
import { drawLive, LiveScreen } from './live.ts'

const plain = paintFor(false, {})
const problem = problemOf(fail('upstream.refused', 'localhost:3000 answered ECONNREFUSED'))

const web: TunnelStatus = {
  name: 'web',
  kind: 'http',
  upstream: 'localhost:3000',
  state: 'online',
  isShared: false,
  url: 'http://web.example.test',
  relays: 1,
  active: 2,
  total: 40,
  bytesIn: 1_536,
  bytesOut: 5_000_000,
}

function snapshot(changes: Partial<AgentSnapshot> = {}): AgentSnapshot {
  return {
    pid: 1,
    agent: 'agt',
    server: 'http://server.test',
    startedAt: 0,
    state: 'running',
    tunnels: [web],
    relays: [{ instance: 'one', state: 'connected', rttMs: 12.4 }],
    ...changes,
  }
}

const draw = (
  changes: Partial<AgentSnapshot> = {},
  size = { columns: 100, rows: 30 },
  notes: string[] = [],
) => drawLive({ snapshot: snapshot(changes), notes, version: '1.2.3' }, size, plain)

test('what is free instead of a taken name is told, and programs get it as a list', () => {
  const taken = fail('endpoint.name_taken', 'Somebody else has the name x.test.', {
    fields: { suggestions: ['x-otter', 'brave-x'] },
  })
  const stopped = { event: 'tunnel.stopped', tunnel: 'x', problem: problemOf(taken) } as const
  expect(stopped.problem.suggestions).toEqual(['x-otter', 'brave-x'])
  expect(sentenceOf([stopped], { isVerbose: false })).toMatch(/PT-2310 .* Free: x-otter, brave-x\.$/)
})

describe('live status', () => {
  test('shows endpoint, upstream, state, connections, bytes, relay and round trip', () => {
    const text = draw().join('\n')
    for (const part of [
      'http://web.example.test',
      'localhost:3000',
      'online',
      '2 open',
      '40 in all',
      'in 1.5 kB',
    ])
      expect(text).toContain(part)
    for (const part of ['out 5 MB', 'server http://server.test', 'relay one  12 ms', 'ptun 1.2.3'])
      expect(text).toContain(part)
  })

  test('what the health check says stands beside the state', () => {
    expect(draw({ tunnels: [{ ...web, health: 'healthy' }] }).join('\n')).toContain(
      'online · healthy · 2 open',
    )
    const sick = draw({ tunnels: [{ ...web, health: 'unhealthy', problem }] }).join('\n')
    expect(sick).toContain('online · not healthy')
    expect(sick).toContain('PT-6040')
  })

  test('a trouble is shown with its code, what happened and the cure', () => {
    const text = draw({ tunnels: [{ ...web, problem }] }).join('\n')
    expect(text).toContain('PT-6040 localhost:3000 answered ECONNREFUSED')
    expect(text).toContain(codes['upstream.refused'].cure)
  })

  test.each([
    [20, 6],
    [40, 10],
    [80, 24],
    [300, 80],
  ])('fits a window of %i x %i whatever there is to show', (columns, rows) => {
    const tunnels = Array.from({ length: 50 }, (_, i) => ({ ...web, name: `tunnel-${i}`, problem }))
    const lines = draw(
      { tunnels, serverProblem: problem },
      { columns, rows },
      Array(20).fill('x'.repeat(500)),
    )
    expect(lines.length).toBeLessThan(rows)
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns)
  })

  test('tunnels that do not fit are counted', () => {
    const tunnels = Array.from({ length: 9 }, (_, i) => ({ ...web, name: `tunnel-${i}` }))
    const text = draw({ tunnels }, { columns: 80, rows: 20 }).join('\n')
    const shown = [...text.matchAll(/tunnel-\d/g)].length
    expect(shown).toBeGreaterThan(1)
    expect(text).toContain(`and ${9 - shown} more`)
  })

  test('a colour sequence is never cut in half', () => {
    const coloured = (_style: unknown, text: string) => `\u001b[31m${text}\u001b[39m`
    const lines = drawLive(
      { snapshot: snapshot(), notes: [], version: '1' },
      { columns: 25, rows: 20 },
      coloured,
    )
    for (const line of lines) expect(stripVTControlCharacters(line)).not.toContain('\u001b')
  })

  test('what others say cannot move the cursor', () => {
    const detail = 'evil \u001b[2J\u001b]52;c;AAAA\u0007 text\r\nmore'
    const lines = draw({ tunnels: [{ ...web, problem: { ...problem, detail } }] })
    expect(lines.join('')).not.toContain('\u001b')
    expect(lines.every((line) => !/[\r\n]/.test(line))).toBe(true)
  })
})

describe('live screen', () => {
  function terminal() {
    const written: string[] = []
    return { columns: 80, rows: 24, written, write: (text: string) => written.push(text) }
  }

  test('repaints in place in one write, and writes nothing when nothing changed', () => {
    const target = terminal()
    const screen = new LiveScreen(target)
    screen.paint(['one', 'two'])
    screen.paint(['one', 'two'])
    screen.paint(['one', 'three'])
    expect(target.written).toHaveLength(2)
    expect(target.written[1]).toContain('\u001b[2A')
  })

  test('a window that became narrower is painted over whole', () => {
    const target = terminal()
    const screen = new LiveScreen(target)
    screen.paint(['x'.repeat(80), 'short'])
    target.columns = 40
    screen.paint(['new'])
    expect(target.written[1]).toContain('\u001b[3A')
  })

  test('the cursor is hidden while it paints and given back at the end', () => {
    const target = terminal()
    const screen = new LiveScreen(target)
    screen.paint(['x'])
    screen.close()
    screen.close()
    expect(target.written[0]).toContain('\u001b[?25l')
    expect(target.written.filter((text) => text.includes('\u001b[?25h'))).toHaveLength(1)
  })
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
  return { agent: openAgentOutput(context, () => snapshot()), written, clock }
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

  test('on a terminal at most four pictures a second are painted, and none is after the end', () => {
    const { agent, written, clock } = open({ isTerminal: true, env: { NO_COLOR: '1' } })
    for (let ms = 0; ms < 1_000; ms += 10) {
      agent.onEvent(event)
      clock.advance(10)
    }
    expect(written.length).toBeGreaterThan(0)
    expect(written.length).toBeLessThanOrEqual(4)
    agent.close()
    const before = written.length
    clock.advance(5_000)
    expect(written).toHaveLength(before)
    expect(clock.pending).toBe(0)
    expect(written.join('')).not.toContain('\u001b[2m')
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
