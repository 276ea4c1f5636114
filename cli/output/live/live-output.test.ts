/** The live view on a terminal whose screen can be read (xterm.js without a display), resized while it draws. */
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import xterm from '@xterm/headless'
import { afterEach, describe, expect, test } from 'vitest'
import type { AgentSnapshot } from '../../agent/events.ts'
import type { Context } from '../../context.ts'
import { manyTunnels, refusedUpstream, snapshotWith, webStatus } from '../../testing/live-view.ts'
import { type LiveOptions, LiveOutput } from './live-output.ts'

const opened: LiveOutput[] = []
afterEach(() => {
  for (const output of opened.splice(0)) output.close()
})

type Size = readonly [columns: number, rows: number]

/** A terminal as large as its window, with a shell's text above. */
function stage(options: Partial<Context> & Pick<LiveOptions, 'inspection'> = {}, size: Size = [80, 24]) {
  const terminal = new xterm.Terminal({
    cols: size[0],
    rows: size[1],
    allowProposedApi: true,
    scrollback: 500,
  })
  const written: string[] = []
  const resized = new Set<() => void>()
  // A program hears of another size later than its terminal has it.
  let known = size
  const write = (text: string) => {
    written.push(text)
    // A kernel's terminal makes a carriage return of it, too.
    terminal.write(text.replaceAll('\n', '\r\n'))
  }
  const stdout = {
    isTTY: true,
    get columns() {
      return known[0]
    },
    get rows() {
      return known[1]
    },
    write,
    on: (_event: 'resize', listener: () => void) => resized.add(listener),
    off: (_event: 'resize', listener: () => void) => resized.delete(listener),
  }
  const listeners = new Set<(chunk: Buffer | string) => void>()
  const modes: boolean[] = []
  const input = {
    isTTY: true,
    setRawMode: (isRaw: boolean) => modes.push(isRaw),
    on: (_event: 'data', listener: (chunk: Buffer | string) => void) => listeners.add(listener),
    off: (_event: 'data', listener: (chunk: Buffer | string) => void) => listeners.delete(listener),
    resume() {},
    pause() {},
  }
  const clock = new FakeClock(Date.UTC(2026, 0, 1, 12))
  const { inspection, ...more } = options
  const context: Context = {
    env: { NO_COLOR: '1', SSH_CONNECTION: '1' },
    stdout,
    stderr: stdout,
    clock,
    random: () => 0,
    isJson: false,
    isVerbose: false,
    ...more,
  }
  let snapshot: AgentSnapshot = snapshotWith()
  const sent: string[] = []
  let isFront = true
  const system = {
    interrupt: () => sent.push('interrupt'),
    suspend: () => sent.push('suspend'),
    kill: () => sent.push('kill'),
    isForeground: () => isFront,
  }
  write('$ ptun http 3000\n')
  const output = new LiveOutput(context, () => snapshot, { input, inspection, system })
  opened.push(output)
  const settle = () => new Promise<void>((resolve) => terminal.write('', resolve))
  return {
    output,
    clock,
    written,
    modes,
    sent,
    terminal,
    show: (changes: Partial<AgentSnapshot>) => {
      snapshot = snapshotWith(changes)
      clock.advance(250)
    },
    press: (keys: string) => {
      for (const listener of listeners) listener(keys)
    },
    /** `between` happens when the window has its size already, and the program does not know it. */
    resize: (next: Size, between = () => {}) => {
      terminal.resize(next[0], next[1])
      between()
      known = next
      for (const listener of resized) listener()
    },
    front: (is: boolean) => {
      isFront = is
    },
    screen: async () => {
      await settle()
      const { active } = terminal.buffer
      return Array.from({ length: terminal.rows }, (_, at) =>
        (active.getLine(active.viewportY + at)?.translateToString(true) ?? '').trimEnd(),
      )
    },
    kind: async () => {
      await settle()
      return terminal.buffer.active.type
    },
    isListening: () => listeners.size + resized.size,
  }
}

const sick = { tunnels: manyTunnels(50, [7]) }

/** A tail of requests below the tunnels. */
const inspection = () => ({
  url: 'http://127.0.0.1:4040/#token',
  recent: (count: number) =>
    Array.from({ length: Math.min(count, 60) }, (_, n) => ({
      ...{ tunnel: `tunnel-${n}`, at: 60_000 - n, method: 'GET', status: n % 7 === 0 ? 502 : 200, ms: n },
      target: `/a/path/that/is/longer/than/a/narrow/window/${n}`,
    })),
  resendLast: () => undefined,
})

/** What a view shows that began in a window of this size. */
async function fresh(size: Size): Promise<readonly string[]> {
  const { output, show, screen } = stage({ inspection }, size)
  show(sick)
  const lines = await screen()
  output.close()
  return lines
}

describe('live view on a terminal', () => {
  test.each<readonly [string, readonly Size[]]>([
    [
      'narrower',
      [
        [80, 24],
        [40, 12],
      ],
    ],
    [
      'larger',
      [
        [40, 12],
        [200, 50],
      ],
    ],
    [
      'up and down',
      [
        [80, 24],
        [40, 12],
        [200, 50],
        [20, 5],
        [81, 24],
        [80, 25],
      ],
    ],
  ])('a window that becomes %s has no remains of earlier pictures', async (_how, sizes) => {
    const [first = [80, 24]] = sizes
    const t = stage({ inspection }, first)
    t.show(sick)
    for (const size of sizes) {
      t.resize(size, () => t.show({ tunnels: manyTunnels(50, [8]) }))
      t.show(sick)
      expect(await t.screen()).toEqual(await fresh(size))
      // Also where the window changed while others were drawn.
      t.show({ tunnels: manyTunnels(3) })
      t.show(sick)
      expect(await t.screen()).toEqual(await fresh(size))
    }
  })

  test('a window that was smaller for a moment has its whole picture again', async () => {
    const size: Size = [80, 24]
    const t = stage({ inspection }, size)
    t.show(sick)
    await t.screen()
    t.terminal.resize(40, 12)
    t.terminal.resize(...(size as [number, number]))
    expect(await t.screen()).not.toEqual(await fresh(size))
    process.emit('SIGWINCH')
    expect(await t.screen()).toEqual(await fresh(size))
  })

  test('what stood above comes back at the end, with a summary below it', async () => {
    const t = stage()
    t.show({ tunnels: [{ ...webStatus, problem: refusedUpstream }] })
    expect(await t.kind()).toBe('alternate')
    t.output.onEvent({ event: 'upstream.failed', tunnel: 'web', upstream: 'x', problem: refusedUpstream })
    t.resize([60, 20])
    t.show({ state: 'stopped' })
    t.output.print(['a record to make'])
    t.output.close()
    const screen = await t.screen()
    expect(await t.kind()).toBe('normal')
    expect(screen[0]).toBe('$ ptun http 3000')
    expect(screen[1]).toBe('○ http://web.example.test → localhost:3000  web')
    expect(screen.join('\n')).toContain('PT-6040')
    expect(screen.join('\n')).toContain('a record to make')
    expect(t.modes).toEqual([true, false])
    expect({ timers: t.clock.pending, listeners: t.isListening() }).toEqual({ timers: 0, listeners: 0 })
  })

  test('nothing is written while nothing changes, and at most four pictures a second', () => {
    const t = stage()
    t.show({})
    const before = t.written.length
    t.clock.advance(5_000)
    expect(t.written).toHaveLength(before)
    for (let ms = 0; ms < 1_000; ms += 10) {
      t.output.onEvent({ event: 'upstream.recovered', tunnel: `t${ms}`, upstream: 'x' })
      t.clock.advance(10)
    }
    expect(t.written.length - before).toBeLessThanOrEqual(4)
  })

  test('q and Ctrl-C stop, and q does not cut what a first one lets finish', () => {
    const t = stage()
    t.show({})
    t.press('q')
    t.show({ state: 'draining' })
    t.press('q')
    expect(t.sent).toEqual(['interrupt'])
    t.press('\u0003')
    expect(t.sent).toEqual(['interrupt', 'interrupt'])
  })

  test('arrows choose, / filters while it is typed, Escape shows all again, ? helps', async () => {
    const t = stage()
    t.show(sick)
    t.press('\u001b[B\u001b[B')
    expect((await t.screen()).find((line) => line.startsWith('›'))).toContain('tunnel-1 ')
    t.press('/')
    t.press('tunnel-4q')
    expect(t.sent, 'a letter of the filter is no command').toEqual([])
    t.press('\u007f')
    expect((await t.screen()).at(-1)).toMatch(/^\/tunnel-4_ {2}11 found/)
    t.press('\r')
    expect((await t.screen())[0]).toContain('11 of 50 tunnels')
    t.press('\u001b')
    expect((await t.screen())[0]).toContain('50 tunnels: 1 Upstream failing')
    t.press('?')
    expect((await t.screen()).at(-1)).toBe('? hides this')
  })

  test('what is pasted is not taken for keys', async () => {
    const t = stage()
    t.show({})
    t.press('\u001b[200~quit q\r\u001b[201~')
    expect(t.sent).toEqual([])
    t.press('/\u001b[200~api\nx\u001b[201~')
    expect((await t.screen()).at(-1)).toMatch(/^\/api x_/)
  })

  test('c copies the address by the terminal, and says so', async () => {
    const t = stage()
    t.show({})
    t.press('c')
    await expect
      .poll(async () => (await t.screen()).at(-1), { timeout: 5_000 })
      .toMatch(/^Asked the terminal to copy/)
    const copied = Buffer.from('http://web.example.test').toString('base64')
    expect(t.written.join('')).toContain(`\u001b]52;c;${copied}\u0007`)
    t.clock.advance(5_500)
    expect((await t.screen()).at(-1)).toMatch(/^\? help/)
  })

  test('keys of the inspector are there with it alone', async () => {
    const resent: string[] = []
    const request = { tunnel: 'web', at: 0, method: 'GET', target: '/asked', status: 204, ms: 8 }
    const inspection = {
      url: 'http://127.0.0.1:4040',
      recent: () => [request],
      resendLast: (name: string) => resent.push(name),
    }
    const without = stage()
    without.show({})
    without.press('r')
    expect((await without.screen()).join('\n')).not.toContain('inspect')
    const t = stage({ inspection: () => inspection })
    t.show({})
    expect((await t.screen()).join('\n')).toMatch(/204 {2}GET {4}8 ms {2}\/asked/)
    t.press('r')
    expect(resent).toEqual(['web'])
    t.press('i')
    await expect
      .poll(async () => (await t.screen()).at(-1), { timeout: 5_000 })
      .toContain('Open it yourself: http://127.0.0.1:4040')
  })

  test('Ctrl-Z gives the terminal back; in the background nothing is drawn, in front it comes back', async () => {
    const t = stage()
    t.show({})
    t.press('\u001a')
    expect(t.sent).toEqual(['suspend'])
    expect(await t.kind()).toBe('normal')
    t.front(false)
    process.emit('SIGCONT')
    const before = t.written.length
    t.show({ tunnels: manyTunnels(2) })
    expect(t.written).toHaveLength(before)
    t.front(true)
    t.clock.advance(250)
    expect(await t.kind()).toBe('alternate')
    expect((await t.screen()).join('\n')).toContain('tunnel-1')
    expect(t.modes).toEqual([true, false, true])
  })

  test('a failure that ends the process is printed on the terminal that was before', async () => {
    const t = stage()
    t.show({})
    const ours = process.listeners('uncaughtExceptionMonitor').at(-1)
    ours?.(new Error('x'), 'uncaughtException')
    expect(await t.kind()).toBe('normal')
    expect(t.modes.at(-1)).toBe(false)
  })
})
