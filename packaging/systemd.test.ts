/**
 * How much of the machine each of our services sees, by `systemd-analyze security`: 0 is nothing, 10 everything. It
 * says which of systemd's walls stand, so a wall that is taken down, also by mistake, fails here.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'

const units = {
  'relay-vm/deploy/porttunneler-relay@.service': 1.7,
  'packaging/systemd/porttunneler.service': 1.7,
  'packaging/systemd/ptun.service': 1.3,
} as const

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'pt-units-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' })
const { status, stdout: said } = analyze('--version')
/** Older ones count fewer walls. */
const isNew = status === 0 && Number(/^systemd (\d+)/.exec(said)?.[1]) >= 252

describe.skipIf(!isNew)('units', () => {
  test.each(Object.entries(units))('%s is exposed by at most %s', (path, most) => {
    // As an instance, of which the analysis knows the name.
    const unit = join(folder, basename(path).replace('@.', '@1.'))
    copyFileSync(join(root, path), unit)
    const { stdout, stderr } = analyze('security', '--offline=true', '--no-pager', unit)
    const found = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]
    expect(Number(found), stdout + stderr).toBeLessThanOrEqual(most)
  })

  test.each(Object.keys(units))('%s has no line that systemd does not know', (path) => {
    const unit = join(folder, basename(path).replace('@.', '@1.'))
    copyFileSync(join(root, path), unit)
    const { stderr } = analyze('verify', '--man=no', '--recursive-errors=no', unit)
    const unknown = stderr
      .split('\n')
      .filter((line) => line.includes(basename(unit)) && !line.includes('not executable'))
    expect(unknown).toEqual([])
  })
})
