/**
 * The age of the last backup as figures. Times are absolute: they stay true while no server runs, and an alert on them
 * still fires.
 */
import type { BackupStatus } from '@porttunneler/shared/control/operator/act'
import type { Figure } from '../figures.ts'

export function backupFigures({ newestAt, everyMs, isOverdue }: BackupStatus): readonly Figure[] {
  return [
    [
      'ptun_backup_newest_timestamp_seconds',
      'When the newest scheduled backup was made; 0: there is none',
      Math.floor((newestAt ?? 0) / 1_000),
    ],
    ['ptun_backup_every_seconds', 'The time between two scheduled backups', everyMs / 1_000],
    ['ptun_backup_overdue', '1 when the newest backup is older than the schedule allows', isOverdue ? 1 : 0],
  ]
}
