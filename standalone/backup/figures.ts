/**
 * Figures of the control plane for Prometheus, in a file of the data folder. The first relay adds the file to its own
 * `/metrics` (`listen.admin.figures`), so the age of the last backup needs no further port. Times are absolute: they
 * stay true while no server runs, and an alert on them still fires.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupStatus } from '@porttunneler/shared/control/operator/act'
import { writePrivateFile } from '../data-folder.ts'

export const figuresName = 'figures.prom'

export function writeFigures(data: string, status: BackupStatus): void {
  writePrivateFile(join(data, figuresName), figuresText(status))
}

/** For a server that makes no backups: figures of an earlier setting would say that one is overdue. */
export function removeFigures(data: string): void {
  rmSync(join(data, figuresName), { force: true })
}

function figuresText({ newestAt, everyMs, isOverdue }: BackupStatus): string {
  const figures: readonly (readonly [name: string, help: string, value: number])[] = [
    [
      'ptun_backup_newest_timestamp_seconds',
      'When the newest scheduled backup was made; 0: there is none',
      Math.floor((newestAt ?? 0) / 1_000),
    ],
    ['ptun_backup_every_seconds', 'The time between two scheduled backups', everyMs / 1_000],
    ['ptun_backup_overdue', '1 when the newest backup is older than the schedule allows', isOverdue ? 1 : 0],
  ]
  return figures
    .map(([name, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`)
    .join('')
}
