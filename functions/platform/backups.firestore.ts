/**
 * How old the newest backup of the database is, as Google's Firestore says: the stack lets it make one each day
 * (cdktf/stacks/control/database.ts). Needs `datastore.backups.list` and `datastore.databases.getMetadata`.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import type { BackupStatus } from '@porttunneler/shared/control/operator/act'
import { z } from 'zod'
import type { GoogleRest } from './google-rest.ts'

const hourMs = 3_600_000
const everyMs = 24 * hourMs
/** Google says only the day of a daily backup, not the hour, and a large database takes hours. */
const lateMs = 12 * hourMs

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))
const listSchema = z.object({
  backups: z
    .array(z.object({ database: z.string(), snapshotTime: time.optional(), state: z.string().optional() }))
    .default([]),
  /** Places that did not answer: their backups are not in the list. */
  unreachable: z.array(z.string()).default([]),
})
const databaseSchema = z.object({ createTime: time })

export type FirestoreBackupsOptions = {
  readonly projectId: string
  readonly database: string
  readonly rest: GoogleRest
  readonly clock: Clock
  readonly firestoreUrl?: string
}

/** The function it returns throws cloud.unavailable, and cloud.refused without the rights. */
export function openFirestoreBackups(options: FirestoreBackupsOptions): () => Promise<BackupStatus> {
  const { projectId, database, rest, clock, firestoreUrl = 'https://firestore.googleapis.com' } = options
  const project = `projects/${projectId}`
  const name = `${project}/databases/${database}`
  const get = <T>(path: string, schema: z.ZodType<T>) =>
    rest.call({ url: `${firestoreUrl}/v1/${path}`, schema })
  return async () => {
    const { backups, unreachable } = await get(`${project}/locations/-/backups`, listSchema)
    if (unreachable.length > 0)
      throw fail('cloud.unavailable', `Firestore cannot list the backups of ${unreachable.join(', ')} now.`)
    const times = backups
      .filter((backup) => backup.database === name && backup.state === 'READY')
      .flatMap(({ snapshotTime }) => (snapshotTime === undefined ? [] : [snapshotTime]))
    const newestAt = times.length === 0 ? undefined : Math.max(...times)
    // Without any, the first one is due a day after the database was made.
    const dueAt = (newestAt ?? (await get(name, databaseSchema)).createTime) + everyMs
    return {
      folder: `${name} at Google`,
      kept: times.length,
      everyMs,
      ...(newestAt !== undefined && { newestAt }),
      dueAt,
      isOverdue: clock.now() > dueAt + lateMs,
    }
  }
}
