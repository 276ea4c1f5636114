/**
 * A job that looks each hour how old the newest backup is. Its line in the log is what an alert of the stack waits for
 * (cdktf/alerts.ts), by the code: Google itself tells nobody when backups fail or are switched off.
 */
import { codes, isFailure } from '@porttunneler/shared/base/errors'
import type { Control } from '@porttunneler/shared/control/control'
import type { JobKind } from '@porttunneler/shared/control/jobs/jobs'
import type { BackupStatus } from '@porttunneler/shared/control/operator/act'

const everyMs = 3_600_000

export function watchBackups(
  { log }: Pick<Control, 'log'>,
  backups: () => Promise<BackupStatus | undefined>,
): JobKind {
  const { code, title } = codes['backup.overdue']
  const run = async () => {
    try {
      const status = await backups()
      if (!status) return
      const { newestAt, dueAt, kept, isOverdue } = status
      if (isOverdue) log.error({ code, newestAt, dueAt, kept }, title)
      else log.info({ newestAt, kept }, 'backups are made as planned')
    } catch (error) {
      // Nobody would notice that nothing is watched.
      if (!isFailure(error, 'cloud.refused')) throw error
      log.error({ code, error }, 'The age of the backups cannot be seen')
    }
  }
  return { name: 'backups.look', attemptsMax: Number.MAX_SAFE_INTEGER, everyMs, run }
}
