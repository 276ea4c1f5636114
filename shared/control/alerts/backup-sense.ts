/** The age of the newest backup, as whoever makes backups knows it: the schedule of a standalone server, or Google. */
import { codes, isFailure } from '../../base/errors.ts'
import type { BackupStatus } from '../operator/act.ts'
import type { Found, Sense } from './sense.ts'

/** @param backups undefined where none are made: then nobody is told that there are none */
export function senseBackups(backups: () => Promise<BackupStatus | undefined>): Sense {
  return {
    kinds: ['backup.overdue'],
    look: async () => {
      try {
        const status = await backups()
        return { found: status?.isOverdue ? [overdue(status)] : [] }
      } catch (error) {
        // An age that nobody may see is watched by nobody.
        if (!isFailure(error, 'cloud.refused')) throw error
        return { found: [found(codes['backup.overdue'].cause, 'an age that cannot be seen')] }
      }
    },
  }
}

function overdue({ newestAt, dueAt, failure }: BackupStatus): Found {
  const { cause } = codes['backup.overdue']
  const why = failure === undefined ? cause : `${cause} The last try failed: ${failure}`
  const name = newestAt === undefined ? 'there is none' : `of ${new Date(newestAt).toISOString()}`
  return { ...found(why, name), since: dueAt }
}

function found(cause: string, name: string): Found {
  const { cure, code } = codes['backup.overdue']
  return { kind: 'backup.overdue', subject: 'backups', name, cause, cure, code }
}
