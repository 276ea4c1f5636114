/** The senses that only a machine of one's own has. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { figuresName } from './figures.ts'
import { senseDisk, sensesOf, writeAlertFigures } from './service-senses.ts'

const GiB = 1024 ** 3
const diskOf = (freeGiB: number, sizeGiB: number) => async () => ({
  bavail: freeGiB * 1024,
  blocks: sizeGiB * 1024,
  bsize: GiB / 1024,
})

test.each([
  [50, 100, 0],
  [9, 100, 1],
  [0.9, 4, 1],
  [1.1, 4, 0],
])('a disk with %d GiB free of %d', async (free, size, count) => {
  const { found } = await senseDisk('/data', diskOf(free, size)).look()
  expect(found).toHaveLength(count)
})

test('the disk of this machine can be read, and a backup that is late is found', async () => {
  const status = { folder: 'there', kept: 1, everyMs: 1, newestAt: 1, dueAt: 2, isOverdue: true }
  const [backups, disk] = sensesOf(tmpdir(), async () => status)
  expect((await backups?.look())?.found).toMatchObject([
    { kind: 'backup.overdue', since: 2, code: 'PT-5407' },
  ])
  expect(Array.isArray((await disk?.look())?.found)).toBe(true)
  const none = sensesOf(tmpdir(), () => undefined)[0]
  expect((await none?.look())?.found).toEqual([])
})

test('the figures say when the service was looked at', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-figures-'))
  try {
    writeAlertFigures(folder, { at: 1_700_000_000_500, open: 2 })
    const text = readFileSync(join(folder, figuresName), 'utf8')
    expect(text).toContain('ptun_alerts_looked_timestamp_seconds 1700000000\n')
    expect(text).toContain('ptun_alerts_open 2\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
