/** What the live view shows in windows of every size. */
import { stripVTControlCharacters } from 'node:util'
import { codes, fail } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { problemOf } from '../../agent/events.ts'
import { drawnOf, manyTunnels, refusedUpstream, snapshotWith, webStatus } from '../../testing/live-view.ts'
import { widthOf } from '../columns.ts'
import { noControls } from './controls.ts'
import { drawLive } from './draw.ts'
import { signsFor } from './signs.ts'

const problem = refusedUpstream
const cure = codes['upstream.refused'].cure
const textOf = (...args: Parameters<typeof drawnOf>) => drawnOf(...args).lines.join('\n')
const api = { ...webStatus, name: 'api', url: 'http://api.example.test', problem }

describe('live view', () => {
  test('shows address, upstream, state, connections, bytes, relay and round trip', () => {
    const text = textOf()
    const parts = ['http://web.example.test → localhost:3000', 'Healthy', '2 open', '40 in all', 'in 1.5 kB']
    for (const part of [...parts, 'out 5 MB', 'server http://server.test, relay one 12 ms', 'ptun 1.2.3'])
      expect(text).toContain(part)
  })

  test('rates are shown while bytes move, and how long the upstream takes', () => {
    const times = { what: 'requests', p50: 12, p99: 340 } as const
    const text = textOf({}, undefined, { figures: () => ({ inRate: 1_234, outRate: 5.6e6, times }) })
    expect(text).toContain('now in 1.2 kB/s, out 5.6 MB/s')
    expect(text).toContain('requests p50 12 ms, p99 340 ms')
    expect(textOf()).not.toContain('now in')
  })

  test.each([
    ['healthy', { health: 'healthy' }, 'Healthy'],
    ['a failed check', { health: 'unhealthy', problem }, 'Upstream failing'],
    ['a visitor was turned away', { problem }, 'Upstream failing'],
    ['a lease that cannot be renewed', { problem: problemOf(fail('quota.transfer')) }, 'Degraded'],
    ['no relay yet', { state: 'connecting' }, 'Connecting'],
    ['not asked yet', { state: 'waiting' }, 'Connecting'],
    ['no room', { state: 'waiting', problem: problemOf(fail('quota.tunnels')) }, 'Refused'],
    ['taken over', { state: 'stopped', problem: problemOf(fail('lease.held')) }, 'Refused'],
  ] as const)('the state is a word of the console: %s', (_why, changes, word) => {
    expect(textOf({ tunnels: [{ ...webStatus, ...changes }] })).toMatch(new RegExp(`^  ${word} `, 'm'))
  })

  test('when the agent has ended nothing is healthy', () => {
    expect(textOf({ state: 'stopped' })).toMatch(/^ {2}Offline · /m)
  })

  test('a cure wraps where there is room, and is one line where there is none', () => {
    const wide = drawnOf({ tunnels: [webStatus, api] }, { columns: 60, rows: 24 }).lines
    const at = wide.findIndex((line) => line.includes('PT-6040'))
    const whole = wide.slice(at).map((line) => line.trim())
    expect(whole.join(' ')).toContain(cure)
    const tunnels = manyTunnels(4, [0, 1])
    const narrow = textOf({ tunnels }, { columns: 60, rows: 22 })
    expect(narrow).toContain('PT-6040')
    expect(narrow).toContain('…')
  })

  test('many tunnels are one line each, trouble first, and the chosen one has its cure below', () => {
    const { lines, rows, chosen, page } = drawnOf(
      { tunnels: manyTunnels(50, [33]) },
      { columns: 80, rows: 24 },
    )
    expect(lines[0]).toBe('ptun 1.2.3  50 tunnels: 1 Upstream failing, 49 Healthy')
    expect(lines[3]).toMatch(/^› ✕ tunnel-33 +Upstream failing PT-6040 /)
    expect(lines[4]).toMatch(/^ {2}● tunnel-0 +Healthy /)
    expect(rows.map(({ name }) => name).slice(0, 3)).toEqual(['tunnel-33', 'tunnel-0', 'tunnel-1'])
    expect(chosen?.name).toBe('tunnel-33')
    expect(page).toBeGreaterThan(3)
    expect(lines.join('\n')).toContain(`1 to ${page} of 50`)
    expect(lines.join(' ')).toContain('Start your program')
  })

  test('the chosen tunnel stays in sight', () => {
    const size = { columns: 80, rows: 24 }
    for (const name of ['tunnel-0', 'tunnel-25', 'tunnel-49']) {
      const { lines } = drawnOf({ tunnels: manyTunnels(50) }, size, {
        controls: { ...noControls, chosen: name },
      })
      expect(lines.filter((line) => line.startsWith(`› ● ${name} `))).toHaveLength(1)
    }
  })

  test('a filter leaves those with the text in name, address, state or code', () => {
    const controls = (filter: string) => ({ controls: { ...noControls, filter } })
    const tunnels = manyTunnels(50, [33])
    for (const [filter, count] of [
      ['PT-6040', 1],
      ['upstream f', 1],
      ['TUNNEL-4', 11],
      ['nothing', 0],
    ] as const) {
      const { rows, lines } = drawnOf({ tunnels }, undefined, controls(filter))
      expect({ filter, count: rows.length }).toEqual({ filter, count })
      expect(lines[0]).toBe(`ptun 1.2.3  ${count} of 50 tunnels`)
    }
  })

  test('requests are shown as a tail, the newest at the bottom', () => {
    const requests = [
      { tunnel: 'web', at: 2_000, method: 'POST', target: '/new', status: 502, ms: 1_500 },
      { tunnel: 'web', at: 1_000, method: 'GET', target: '/old', status: 200, ms: 3 },
      { tunnel: 'web', at: 500, method: 'GET', target: '/cut', failure: 'PT-3001' },
    ]
    const lines = drawnOf({}, { columns: 80, rows: 24 }, { requests }).lines.filter((line) =>
      line.includes('/'),
    )
    expect(lines.slice(-4).map((line) => line.slice(10))).toEqual([
      'PT-3001  GET           /cut',
      '200      GET     3 ms  /old',
      '502      POST     2 s  /new',
      expect.stringContaining('filter'),
    ])
  })

  test('a QR code is drawn whole, or the window that it needs is told', () => {
    const picture = () => Array<string>(15).fill('█'.repeat(29))
    expect(textOf({}, { columns: 80, rows: 30 }, { picture })).toContain('█'.repeat(29))
    const small = textOf({}, { columns: 80, rows: 16 }, { picture })
    expect(small).not.toContain('█')
    expect(small).toMatch(/The QR code needs a window of 29 columns and \d+ rows\./)
    const [, rows = ''] = /and (\d+) rows/.exec(small) ?? []
    expect(textOf({}, { columns: 29, rows: Number(rows) + 3 }, { picture })).toContain('█'.repeat(29))
  })

  test('without keys nothing is chosen and no key is named', () => {
    const text = textOf({ tunnels: manyTunnels(50) }, { columns: 80, rows: 24 }, { hasKeys: false })
    expect(text).not.toContain('›')
    expect(text).not.toContain('filter')
    expect(text).toContain('Ctrl-C stops')
  })

  test.each([
    [1, 1],
    [12, 3],
    [20, 6],
    [40, 12],
    [80, 24],
    [200, 50],
    [300, 80],
  ])('fits a window of %i x %i whatever there is to show', (columns, rows) => {
    const notes = Array<string>(20).fill('x'.repeat(500))
    const target = `/${'y'.repeat(400)}`
    const requests = Array(30).fill({ tunnel: 'web', at: 0, method: 'PROPFIND', target, failure: 'PT-3001' })
    const wide = {
      ...webStatus,
      url: `http://${'w'.repeat(60)}.example.test`,
      problem,
      settings: ['a'.repeat(200)],
    }
    for (const tunnels of [[], [wide], [wide, wide], manyTunnels(50, [0, 1, 2])])
      for (const isHelp of [true, false]) {
        const controls = { ...noControls, isHelp }
        const size = { columns, rows }
        const { lines } = drawnOf({ tunnels, serverProblem: problem }, size, { notes, requests, controls })
        expect(lines.length).toBeLessThanOrEqual(rows)
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns)
      }
  })

  test('an address is never cut: it takes as many lines as it needs', () => {
    const url = `https://${'long'.repeat(15)}.example.test`
    const { lines } = drawnOf({ tunnels: [{ ...webStatus, url }] }, { columns: 40, rows: 20 })
    expect(lines.join('').replaceAll(' ', '')).toContain(url)
  })

  test('a colour sequence is never cut in half, and what others say cannot move the cursor', () => {
    const coloured = (_style: unknown, text: string) => `\u001b[31m${text}\u001b[39m`
    const detail = 'evil \u001b[2J\u001b]52;c;AAAA\u0007 text\r\nmore'
    const tunnels = [{ ...webStatus, problem: { ...problem, detail } }]
    const figures = () => ({ inRate: 0, outRate: 0 })
    const { lines } = drawLive(
      {
        snapshot: snapshotWith({ tunnels }),
        notes: [],
        version: '1',
        controls: noControls,
        hasKeys: true,
        figures,
      },
      { size: { columns: 25, rows: 20 }, paint: coloured, signs: signsFor({}) },
    )
    for (const line of lines) {
      expect(stripVTControlCharacters(line)).not.toMatch(/\p{Cc}/u)
      expect(line.replaceAll('\u001b[31m', '').replaceAll('\u001b[39m', '')).not.toMatch(/\p{Cc}/u)
    }
  })
})
