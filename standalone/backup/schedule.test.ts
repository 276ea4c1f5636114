import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Log, silentLog } from '@porttunneler/shared/base/log'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BackupSchedule } from './schedule.ts'
import { backupSchema } from './settings.ts'

const hour = 3_600_000
let folder: string
let clock: FakeClock
let errors: unknown[]
const log: Log = { ...silentLog, error: (fields: unknown) => void errors.push(fields) } as Log

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-schedule-'))
  clock = new FakeClock(Date.UTC(2026, 0, 31))
  errors = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

type Make = (file: string, signal: AbortSignal) => Promise<void>

function start(make: Make = async (file) => writeFileSync(file, '')): BackupSchedule {
  const settings = backupSchema.parse({ every: '24h', keep: 2, folder })
  return new BackupSchedule({ settings, data: '/nowhere', clock, log, make })
}
const names = () => readdirSync(folder).sort()
/** Its own timers look too: the second call begins when theirs is over. */
async function pass(schedule: BackupSchedule, ms: number): Promise<void> {
  clock.advance(ms)
  await schedule.look()
  await schedule.look()
}

test('a backup is made when one is due, also after a restart, and only the newest stay', async () => {
  writeFileSync(join(folder, 'porttunneler-notes.txt'), '')
  const first = start()
  await first.look()
  expect(names()).toEqual(['porttunneler-20260131T000000Z.tar.gz', 'porttunneler-notes.txt'])
  await pass(first, 23 * hour)
  await first.close()
  const second = start()
  await second.look()
  expect(names(), 'not before its time').toHaveLength(2)
  for (let day = 0; day < 3; day++) await pass(second, 24 * hour)
  expect(names()).toEqual([
    'porttunneler-20260202T230000Z.tar.gz',
    'porttunneler-20260203T230000Z.tar.gz',
    'porttunneler-notes.txt',
  ])
  await second.close()
})

test('one that fails is told, removes no earlier one, and is tried again', async () => {
  let isFull = true
  const schedule = start(async (file) => {
    if (isFull) throw new Error('PT-5401 the disk is full')
    writeFileSync(file, '')
  })
  for (const day of [1, 2, 3]) writeFileSync(join(folder, `porttunneler-2026010${day}T000000Z.tar.gz`), '')
  await schedule.look()
  expect(errors).toMatchObject([{ code: 'PT-5401' }])
  expect(names()).toHaveLength(3)
  isFull = false
  await schedule.look()
  expect(names()).toEqual(['porttunneler-20260103T000000Z.tar.gz', 'porttunneler-20260131T000000Z.tar.gz'])
  await schedule.close()
})

test('names from a clock that was ahead make no more backups and remove none', async () => {
  const future = ['porttunneler-20270131T000000Z.tar.gz', 'porttunneler-20270201T000000Z.tar.gz']
  const past = 'porttunneler-20260130T000000Z.tar.gz'
  for (const name of [...future, past]) writeFileSync(join(folder, name), '')
  const schedule = start()
  await schedule.look()
  const due = 'porttunneler-20260131T000000Z.tar.gz'
  expect(names()).toEqual([past, due, ...future])
  await pass(schedule, 5 * 60_000)
  expect(names(), 'the next look').toEqual([past, due, ...future])
  await pass(schedule, 24 * hour)
  expect(names()).toEqual([due, 'porttunneler-20260201T000500Z.tar.gz', ...future])
  await schedule.close()
})

test('only one is made at a time, and the end of the server ends it', async () => {
  let runs = 0
  const begun = Promise.withResolvers<void>()
  const schedule = start((_file, signal) => {
    runs += 1
    begun.resolve()
    return new Promise<void>((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }),
    )
  })
  const looks = [schedule.look(), schedule.look()]
  await begun.promise
  await schedule.close()
  await Promise.all(looks)
  expect([runs, errors]).toEqual([1, []])
})

test('a process of its own makes it, and says why it cannot', async () => {
  const settings = backupSchema.parse({ every: '1h', folder })
  const schedule = new BackupSchedule({ settings, data: join(folder, 'none'), clock, log })
  await schedule.look()
  expect(errors).toMatchObject([
    { error: expect.objectContaining({ message: expect.stringContaining('PT-5307') }) },
  ])
  await schedule.close()
})

test.each(['24', '0h', '1w', '-1h', ''])('"%s" is no time', (every) => {
  expect(backupSchema.safeParse({ every, folder: '/backups' }).success).toBe(false)
})
