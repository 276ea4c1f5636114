/** The parts of the live view: columns, keys, figures, signs, the clipboard. */
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { webStatus } from '../../testing/live-view.ts'
import { cut, fill, widthOf, wrap } from '../columns.ts'
import { askTerminal, copiers, copy } from './clipboard.ts'
import { FigureBook, percentiles } from './figures.ts'
import { isForeground } from './keyboard.ts'
import { KeyReader } from './keys.ts'
import { canDraw, signsFor } from './signs.ts'

describe('columns', () => {
  test.each([
    ['web', 3],
    ['日本', 4],
    ['e\u0301', 1],
    ['🚀x', 3],
    ['\u001b[31mred\u001b[39m', 3],
    ['→·…', 3],
  ])('%j takes %i', (text, width) => expect(widthOf(text)).toBe(width))

  test('a wide letter is never cut in half', () => {
    for (let columns = 1; columns < 8; columns += 1)
      expect(widthOf(cut('日本語です', columns))).toBeLessThanOrEqual(columns)
    expect(widthOf(fill('日本語です', 4))).toBe(4)
  })

  test('words wrap, longer ones are broken, and what does not fit is cut', () => {
    expect(wrap('one two three', { columns: 8, indent: '  ' })).toEqual(['  one', '  two', '  three'])
    expect(wrap('abcdefgh ij', { columns: 5 })).toEqual(['abcde', 'fgh', 'ij'])
    expect(wrap('one two three four', { columns: 9, linesMax: 2 })).toEqual(['one two', 'three fo…'])
    expect(wrap('', { columns: 9 })).toEqual([])
  })
})

describe('keys', () => {
  const kinds = (chunk: string) =>
    new KeyReader().read(chunk).map((key) => (key.kind === 'letter' ? key.letter : key.kind))

  test.each([
    ['\u001b[A\u001bOB', ['up', 'down']],
    ['\u001b[5~\u001b[6~\u001b[H\u001b[4~', ['page-up', 'page-down', 'home', 'end']],
    ['\u001b', ['escape']],
    ['\u001b[1;5C\u001b[<0;3;4Mq', ['q']],
    ['é/日', ['é', '/', '日']],
    ['\u0003\u001a\u000c\u0015\u001c', ['interrupt', 'suspend', 'redraw', 'erase-all', 'quit']],
    ['\u0000\u0001', []],
  ])('%j', (chunk, wanted) => expect(kinds(chunk)).toEqual(wanted))

  test('a paste may come in several reads, and its end is not lost', () => {
    const reader = new KeyReader()
    expect(reader.read('\u001b[200~ab')).toEqual([])
    const keys = reader.read('c\u001b[201~q')
    expect(keys.map((key) => ('letter' in key ? key.letter : ''))).toEqual(['a', 'b', 'c', 'q'])
    expect(keys.at(-1)).toEqual({ kind: 'letter', letter: 'q' })
  })
})

describe('figures', () => {
  const row = { members: ['web'] }

  test('rates are over the last three seconds, and 0 when nothing moves any more', () => {
    const clock = new FakeClock()
    const book = new FigureBook(clock)
    let bytesIn = 0
    for (let ms = 0; ms <= 10_000; ms += 250) {
      book.sample({ tunnels: [{ ...webStatus, bytesIn, bytesOut: 0 }] })
      clock.advance(250)
      bytesIn += 250
    }
    expect(book.of(row).inRate).toBeCloseTo(1_000, 0)
    for (let ms = 0; ms <= 4_000; ms += 250) {
      book.sample({ tunnels: [{ ...webStatus, bytesIn, bytesOut: 0 }] })
      clock.advance(250)
    }
    expect(book.of(row)).toMatchObject({ inRate: 0, outRate: 0 })
  })

  test('times of requests come before those of connections, and old ones do not count', () => {
    const clock = new FakeClock()
    const book = new FigureBook(clock)
    for (const connectMs of [1, 2, 300])
      book.onEvent({ event: 'connection.opened', tunnel: 'web', visitor: 'v', connectMs })
    expect(book.of(row).times).toEqual({ what: 'connect', p50: 2, p99: 300 })
    const request = { tunnel: 'web', at: clock.now(), method: 'GET', target: '/', ms: 40 }
    expect(book.of(row, [request]).times).toEqual({ what: 'requests', p50: 40, p99: 40 })
    clock.advance(61_000)
    expect(book.of(row, [request]).times).toBeUndefined()
  })

  test('the p99 of a hundred is the second largest', () => {
    const values = Array.from({ length: 100 }, (_, n) => n + 1)
    expect(percentiles(values)).toEqual({ p50: 50, p99: 99 })
    expect(percentiles([])).toBeUndefined()
  })
})

describe('terminals', () => {
  const on = (env: Record<string, string>, isTTY = true) => ({
    stdout: { isTTY, write() {} },
    env,
    isJson: false,
  })

  test.each([
    ['a terminal', on({ TERM: 'xterm' }), 'linux', true],
    ['a pipe', on({}, false), 'linux', false],
    ['a dumb terminal', on({ TERM: 'dumb' }), 'linux', false],
    ['CI', on({ CI: 'true' }), 'linux', false],
    ['an old console of Windows, whose code page has other letters', on({}), 'win32', false],
    ['Windows Terminal', on({ WT_SESSION: '1' }), 'win32', true],
  ] as const)('%s', (_what, context, platform, wanted) => expect(canDraw(context, platform)).toBe(wanted))

  test('signs are letters alone where the locale is not UTF-8', () => {
    expect(signsFor({ LANG: 'de_DE.UTF-8' }).to).toBe('→')
    expect(signsFor({}).to).toBe('→')
    expect(signsFor({ LANG: 'de_DE.UTF-8', LC_ALL: 'C' }).to).toBe('->')
  })

  test('a job in the background is told from one in front', () => {
    const stat = (group: number, front: number) => () => `12 (a) b) S 1 ${group} 5 34816 ${front} 0`
    expect(isForeground(stat(12, 12))).toBe(true)
    expect(isForeground(stat(12, 7))).toBe(false)
    expect(
      isForeground(() => {
        throw new Error('no such file')
      }),
    ).toBe(true)
  })
})

describe('the clipboard', () => {
  test.each([
    ['over SSH', { SSH_CONNECTION: '1', DISPLAY: ':0' }, 'linux', []],
    ['X', { DISPLAY: ':0' }, 'linux', ['xclip', 'xsel']],
    ['Wayland', { WAYLAND_DISPLAY: 'w', DISPLAY: ':0' }, 'linux', ['wl-copy', 'xclip', 'xsel']],
    ['macOS', {}, 'darwin', ['pbcopy']],
    ['Windows', {}, 'win32', ['clip']],
  ] as const)('%s', (_what, env, platform, names) =>
    expect(copiers(env, platform).map(([name]) => name)).toEqual(names),
  )

  test('the next program is tried, then the terminal, and the sentence says which it was', async () => {
    const written: string[] = []
    const env = { DISPLAY: ':0' }
    const write = (text: string) => written.push(text)
    const second = async ([name]: readonly string[]) => name === 'xsel'
    const none = async () => false
    expect(await copy('u', { env, write, run: second, platform: 'linux' })).toBe('Copied u (xsel)')
    expect(written).toEqual([])
    expect(await copy('u', { env, write, run: none, platform: 'linux' })).toContain('OSC 52')
    expect(written).toEqual([askTerminal('u')])
  })
})
