/** What the operator of this machine is told of beside what every server is: the disk, and the age of backups. */
import { statfs } from 'node:fs/promises'
import { codes } from '@porttunneler/shared/base/errors'
import { senseBackups } from '@porttunneler/shared/control/alerts/backup-sense'
import type { Heartbeat, Sense } from '@porttunneler/shared/control/alerts/sense'
import type { BackupStatus } from '@porttunneler/shared/control/operator/act'
import { writeFigures } from './figures.ts'

/** SQLite copies pages before it changes them, and backups are made beside it: both need room. */
const freeShareMin = 0.1
const freeBytesMin = 1024 ** 3

export function sensesOf(data: string, backups: () => Promise<BackupStatus> | undefined): readonly Sense[] {
  return [senseBackups(async () => backups()), senseDisk(data)]
}

/** @param read what the system says of the disk; tests have one of their own */
export function senseDisk(data: string, read: (path: string) => Promise<Disk> = statfs): Sense {
  return {
    kinds: ['disk.low'],
    look: async () => {
      const { bavail, blocks, bsize } = await read(data)
      const free = bavail * bsize
      if (free >= freeBytesMin && bavail >= freeShareMin * blocks) return { found: [] }
      const { cause, cure, code } = codes['alert.disk']
      // No figure is part of it: one that changes with each look would be news each time.
      return { found: [{ kind: 'disk.low', subject: 'data', name: 'of the data folder', cause, cure, code }] }
    },
  }
}

type Disk = { readonly bavail: number; readonly blocks: number; readonly bsize: number }

/** When the service was last looked at, for an alert from outside: it stays true when nobody looks any more. */
export function writeAlertFigures(data: string, { at, open }: Heartbeat): void {
  writeFigures(data, 'ptun_alerts_', [
    [
      'ptun_alerts_looked_timestamp_seconds',
      'When the service was last looked at for alerts; more than 15 minutes ago: nobody is told of anything',
      Math.floor(at / 1_000),
    ],
    ['ptun_alerts_open', 'Alerts of the service that are open', open],
  ])
}
