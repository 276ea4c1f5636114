import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Log, silentLog } from '@porttunneler/shared/base/log'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { serverMark } from './names.ts'
import { BackupSchedule } from './schedule.ts'
import { backupSchema } from './settings.ts'

const hour = 3_600_000
let base: string
let folder: string
let data: string
let clock: FakeClock
let errors: unknown[]
const log: Log = { ...silentLog, error: (fields: unknown) => void errors.push(fields) } as Log

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'pt-schedule-'))
  folder = join(base, 'backups')
  mkdirSync(folder)
  data = newData('data')
  clock = new FakeClock(Date.UTC(2026, 0, 31))
  errors = []
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

type Make = (file: string, signal: AbortSignal) => Promise<void>

function newData(name: string): string {
  const path = join(base, name)
  mkdirSync(path)
  writeFileSync(join(path, 'master.key'), `${name}\n`)
  return path
}
const write: Make = async (file) => writeFileSync(file, '')
function start(make = write, from = data): BackupSchedule {
  const settings = backupSchema.parse({ every: '24h', keep: 2, folder })
  return new BackupSchedule({ settings, data: from, clock, log, make })
}
const nameOf = (time: string, from = data) => `porttunneler-${serverMark(from)}-${time}Z.tar.gz`
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
  expect(names()).toEqual([nameOf('20260131T000000'), 'porttunneler-notes.txt'])
  await pass(first, 23 * hour)
  await first.close()
  const second = start()
  await second.look()
  expect(names(), 'not before its time').toHaveLength(2)
  for (let day = 0; day < 3; day++) await pass(second, 24 * hour)
  expect(names()).toEqual([nameOf('20260202T230000'), nameOf('20260203T230000'), 'porttunneler-notes.txt'])
  await second.close()
})

test('one that fails is told, removes no earlier one, and is tried again', async () => {
  let isFull = true
  const schedule = start(async (file) => {
    if (isFull) throw new Error('PT-5401 the disk is full')
    writeFileSync(file, '')
  })
  for (const day of [1, 2, 3]) writeFileSync(join(folder, nameOf(`2026010${day}T000000`)), '')
  await schedule.look()
  expect(errors).toMatchObject([{ code: 'PT-5401' }, { code: 'PT-5407' }])
  expect(names()).toHaveLength(3)
  isFull = false
  await schedule.look()
  expect(names()).toEqual([nameOf('20260103T000000'), nameOf('20260131T000000')])
  await schedule.close()
})

test('names from a clock that was ahead make no more backups and remove none', async () => {
  const future = [nameOf('20270131T000000'), nameOf('20270201T000000')]
  const past = nameOf('20260130T000000')
  for (const name of [...future, past]) writeFileSync(join(folder, name), '')
  const schedule = start()
  await schedule.look()
  const due = nameOf('20260131T000000')
  expect(names()).toEqual([past, due, ...future])
  await pass(schedule, 5 * 60_000)
  expect(names(), 'the next look').toEqual([past, due, ...future])
  await pass(schedule, 24 * hour)
  expect(names()).toEqual([due, nameOf('20260201T000500'), ...future])
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
  const schedule = new BackupSchedule({ settings, data, clock, log })
  await schedule.look()
  expect(errors).toMatchObject([
    { error: expect.objectContaining({ message: expect.stringContaining('PT-5307') }) },
  ])
  await schedule.close()
})

test('two servers in one folder each keep their own, and neither waits for the other', async () => {
  const other = newData('other')
  const schedules = [start(), start(write, other)]
  for (let day = 0; day < 3; day++) {
    clock.advance(day === 0 ? 0 : 24 * hour)
    for (const schedule of schedules) {
      await schedule.look()
      await schedule.look()
    }
  }
  const times = ['20260201T000000', '20260202T000000']
  expect(names()).toEqual([data, other].flatMap((from) => times.map((time) => nameOf(time, from))).sort())
  for (const schedule of schedules) await schedule.close()
})

const figure = (name: string) =>
  Number(new RegExp(`^${name} (.*)$`, 'm').exec(readFileSync(join(data, 'figures.prom'), 'utf8'))?.[1])

test('its age is told: in the status, as figures, and once in the log when it is too old', async () => {
  let isFull = false
  const schedule = start(async (file) => {
    if (isFull) throw new Error('PT-5401 the disk is full')
    writeFileSync(file, '')
  })
  await schedule.look()
  const madeAt = clock.now()
  expect(await schedule.status()).toEqual({
    folder,
    kept: 1,
    everyMs: 24 * hour,
    newestAt: madeAt,
    dueAt: madeAt + 24 * hour,
    isOverdue: false,
  })
  expect(figure('ptun_backup_newest_timestamp_seconds')).toBe(madeAt / 1000)
  expect(figure('ptun_backup_every_seconds')).toBe(86_400)
  isFull = true
  await pass(schedule, 30 * hour)
  expect(await schedule.status(), 'late, but not too late').toMatchObject({
    isOverdue: false,
    failure: expect.stringContaining('the disk is full'),
  })
  await pass(schedule, 5 * 60_000)
  await pass(schedule, 5 * 60_000)
  expect(await schedule.status()).toMatchObject({ isOverdue: true, newestAt: madeAt })
  expect(figure('ptun_backup_overdue')).toBe(1)
  expect(errors.filter((error) => (error as { code: string }).code === 'PT-5407')).toHaveLength(1)
  isFull = false
  await pass(schedule, 5 * 60_000)
  expect(figure('ptun_backup_overdue')).toBe(0)
  expect(await schedule.status()).not.toHaveProperty('failure')
  await schedule.close()
})

test('a folder that is gone is told too, and where there never was a backup one is due from the start', async () => {
  rmSync(folder, { recursive: true })
  const schedule = start()
  await pass(schedule, hour)
  expect(await schedule.status()).toMatchObject({
    isOverdue: true,
    kept: 0,
    dueAt: clock.now() - hour,
    failure: expect.stringContaining('ENOENT'),
  })
  expect(figure('ptun_backup_newest_timestamp_seconds')).toBe(0)
  await schedule.close()
})

test.each(['24', '0h', '1w', '-1h', ''])('"%s" is no time', (every) => {
  expect(backupSchema.safeParse({ every, folder: '/backups' }).success).toBe(false)
})
