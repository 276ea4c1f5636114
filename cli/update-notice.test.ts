/** The word about a newer version: once a day, to people, and never in the way. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Context } from './context.ts'
import { noticeOf, updateNotice } from './update-notice.ts'

const root = mkdtempSync(join(tmpdir(), 'ptun-update-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(root, 'state-'))
})

function stage(changes: Record<string, unknown> = {}, env: Record<string, string> = {}) {
  const clock = new FakeClock()
  const stdout = { isTTY: true, write: () => {} }
  const context = {
    ...{ env: { XDG_STATE_HOME: folder, ...env }, stdout, clock, isJson: false },
    ...changes,
  } as unknown as Context
  let calls = 0
  const health = async () => {
    calls += 1
    return { status: 'ok' as const, version: '0.3.0', now: 0 }
  }
  const options = { server: 'http://s.test', client: { health }, own: '0.2.9', program: '/usr/bin/ptun' }
  return { clock, calls: () => calls, ask: () => updateNotice(context, options) }
}

describe('update notice', () => {
  test('comes once a day, and asks the server once a day', async () => {
    const { ask, clock, calls } = stage()
    expect(await ask()).toBe(
      'ptun 0.3.0 is out, and the server runs it; this is 0.2.9. Update it: npm install -g porttunneler@0.3.0',
    )
    expect(await ask()).toBeUndefined()
    clock.advance(23 * 3_600_000)
    expect(await ask()).toBeUndefined()
    expect(calls()).toBe(1)
    clock.advance(2 * 3_600_000)
    expect(await ask()).toContain('0.3.0')
  })

  test.each([
    ['with --json', { isJson: true }, {}],
    ['without a terminal', { stdout: { isTTY: false, write() {} } }, {}],
    ['in CI', {}, { CI: 'true' }],
    ['when it is turned off', {}, { PTUN_NO_UPDATE_NOTICE: '1' }],
  ])('never comes %s, nor is anybody asked', async (_when, changes, env) => {
    const { ask, calls } = stage(changes, env)
    expect(await ask()).toBeUndefined()
    expect(calls()).toBe(0)
  })

  test('a server that is silent or away is no failure, and is asked again at the next start', async () => {
    const { clock } = stage()
    const stdout = { isTTY: true, write() {} }
    const context = { env: { XDG_STATE_HOME: folder }, stdout, clock, isJson: false } as unknown as Context
    const silent = { server: 'http://s.test', client: { health: () => new Promise<never>(() => {}) } }
    const asked = updateNotice(context, silent)
    // The file is read first.
    await vi.waitFor(() => expect(clock.pending).toBe(1), { timeout: 10_000 })
    clock.advance(6_000)
    expect(await asked).toBeUndefined()
    expect(clock.pending).toBe(0)
    const away = {
      server: 'http://s.test',
      client: {
        health: async () => {
          throw new Error('no')
        },
      },
    }
    expect(await updateNotice(context, away)).toBeUndefined()
    expect(await stage().ask()).toContain('0.3.0')
  })

  test.each([
    ['1.2.3', '1.2.3', false],
    ['1.2.3', '1.10.0', true],
    ['1.2.3', '1.2.2', false],
    ['2.0.0', '1.9.9', false],
    ['1.2.3', '1.3.0-rc.1', false],
    ['1.2.3', '$(reboot)', false],
    ['1.2.3', '99999999.0.0', false],
  ])('%s and a server with %s: %s', (own, there, wanted) =>
    expect(noticeOf(own, there, '') !== undefined).toBe(wanted),
  )

  test('who has the Debian package is sent to the package manager', () => {
    expect(noticeOf('1.0.0', '1.0.1', '/usr/lib/ptun/cli/ptun.js')).toMatchObject({
      cure: 'Update it: by your package manager.',
    })
  })
})
