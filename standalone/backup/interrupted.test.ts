/** A backup that is killed, or for which the disk is too small, leaves nothing under its name and harms no server. */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ControlPlane, openControlPlane } from '../control-plane.ts'
import { openDataFolder } from '../data-folder.ts'
import { readBackup } from './read.ts'

const program = join(import.meta.dirname, 'main.ts')
const ports = { portFrom: 20_000, portTo: 20_999 } as const
let root: string
let data: string
let plane: ControlPlane
let close: () => Promise<void>

/** With a document for each of a thousand ports, a copy is some hundred KB. */
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'pt-interrupted-'))
  data = join(root, 'data')
  const folder = openDataFolder(data)
  const settings = { consoleUrl: 'http://localhost', registration: 'open', plan: 'free' } as const
  const around = { clock: systemClock, random: Math.random, log: silentLog, proxies: [], version: '0.0.0' }
  plane = openControlPlane({ folder, ...settings, ...around })
  close = async () => {
    await plane.close()
    folder.close()
  }
  const face = {
    host: 'localhost',
    domain: 'localhost',
    httpScheme: 'http',
    httpPort: 80,
    tlsPort: 443,
  } as const
  await plane.ensureCell({ ...face, ...ports })
})
afterAll(async () => {
  await close()
  rmSync(root, { recursive: true, force: true })
})

const wish = (file: string) => JSON.stringify({ data, file })

test('killed at any moment: no file under its name, or a whole one', async () => {
  const began = systemClock.monotonic()
  const usual = join(root, 'usual')
  expect(spawnSync(process.execPath, [program, wish(usual)]).status).toBe(0)
  const tookMs = systemClock.monotonic() - began
  // It reads and writes in the last part of its life; before, its code is loaded.
  for (const share of [0.6, 0.75, 0.85, 0.95]) {
    const file = join(root, `killed-${share}`)
    await new Promise<void>((resolve) =>
      execFile(
        process.execPath,
        [program, wish(file)],
        { timeout: Math.round(tookMs * share), killSignal: 'SIGKILL' },
        () => resolve(),
      ),
    )
    if (existsSync(file)) expect((await readBackup({ file })).documents).toBeGreaterThan(1_000)
  }
  await plane.ensureFirstAccount('ada@example.com')
})

test.skipIf(process.platform === 'win32')('a disk that fills up is told, and nothing is left', () => {
  for (const blocks of [1, 64]) {
    const file = join(root, `full-${blocks}`)
    // The system refuses larger files, as a full disk refuses bytes.
    const words = ['-c', `ulimit -f ${blocks}; exec "$@"`, 'bash', process.execPath, program, wish(file)]
    const { status, stderr } = spawnSync('bash', words, { encoding: 'utf8' })
    expect({ blocks, status }).not.toEqual({ blocks, status: 0 })
    expect(stderr).toMatch(/^PT-\d{4} /)
    expect(existsSync(file)).toBe(false)
  }
  const mine = [...readdirSync(data), ...readdirSync(root)].filter((name) => name.includes('full-'))
  expect(mine).toEqual([])
})
