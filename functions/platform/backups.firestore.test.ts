import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FakeGoogleCloud, startGoogleCloud } from '../testing/google-cloud.ts'
import { openFirestoreBackups } from './backups.firestore.ts'
import { openGoogleRest } from './google-rest.ts'

const hour = 3_600_000
const projectId = 'tunnels-prod'
let google: FakeGoogleCloud
let clock: FakeClock
beforeEach(async () => {
  google = await startGoogleCloud(projectId)
  clock = new FakeClock(Date.UTC(2026, 0, 31))
  google.firestore.createTime = at(0)
})
afterEach(() => google.close())

const at = (hours: number) => new Date(clock.now() + hours * hour).toISOString()
const status = (database = '(default)') => {
  const rest = openGoogleRest({ clock, metadataUrl: google.url })
  return openFirestoreBackups({ projectId, database, rest, clock, firestoreUrl: google.url })()
}
const made = (hours: number, more = {}) => {
  const { name: database, backups } = google.firestore
  backups.push({ database, snapshotTime: at(hours), state: 'READY', ...more })
}

test('the newest whole backup of this database counts, in whatever order Google lists them', async () => {
  made(-30)
  made(-20)
  made(-44)
  made(-1, { state: 'CREATING' })
  made(-1, { database: `projects/${projectId}/databases/restored` })
  expect(await status()).toMatchObject({
    kept: 3,
    newestAt: clock.now() - 20 * hour,
    dueAt: clock.now() + 4 * hour,
    isOverdue: false,
  })
})

test('a backup may be half a day late, because Google does not say the hour', async () => {
  made(-36)
  expect((await status()).isOverdue).toBe(false)
  clock.advance(1)
  expect((await status()).isOverdue).toBe(true)
})

test('a new database has a day and a half for its first', async () => {
  expect(await status()).toMatchObject({ kept: 0, isOverdue: false })
  clock.advance(36 * hour + 1)
  expect(await status()).not.toHaveProperty('newestAt')
  expect((await status()).isOverdue).toBe(true)
})

test('a list with holes, and one that may not be seen, are no answer', async () => {
  made(-1)
  google.firestore.unreachable.push('projects/tunnels-prod/locations/eur3')
  await expect(status()).rejects.toMatchObject({ key: 'cloud.unavailable' })
  google.firestore.unreachable.length = 0
  google.mishaps.push(403)
  await expect(status()).rejects.toMatchObject({ key: 'cloud.refused' })
})
