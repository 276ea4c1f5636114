/** PT-54nn: backups of a standalone server, and what is put back from them. */
import type { ErrorEntry } from '../errors.ts'

const byHand = { http: 500, retry: 'never', owner: 'operator' } as const

export const backupCodes = {
  'backup.failed': {
    code: 'PT-5401',
    ...byHand,
    exit: 1,
    retry: 'later',
    title: 'No backup was written',
    cause:
      'The backup could not be written, or did not read back as what was written. Earlier backups are as they were.',
    cure: 'Do what the message says, and make the backup again. Until then the newest one is older than planned.',
  },
  'backup.damaged': {
    code: 'PT-5402',
    ...byHand,
    exit: 1,
    title: 'Not a whole backup',
    cause: 'The file is no backup of PortTunneler, or it was cut or changed since it was written.',
    cure: 'Take another copy of it, or the backup before it: ptunctl backup check says which ones are whole.',
  },
  'backup.passphrase': {
    code: 'PT-5403',
    ...byHand,
    exit: 2,
    title: 'The passphrase does not fit',
    cause:
      'The backup is encrypted and no passphrase or another one was given; or one was given and it is not encrypted.',
    cure: 'Name the file with the passphrase of that time by --passphrase-file; leave it out for a backup that is not encrypted.',
  },
  'backup.newer': {
    code: 'PT-5404',
    ...byHand,
    exit: 2,
    title: 'The backup is of a newer release',
    cause: 'A newer release made this backup, in a format that this one does not know.',
    cure: 'Install that release or a newer one, and restore with it.',
  },
  'backup.occupied': {
    code: 'PT-5405',
    ...byHand,
    exit: 2,
    title: 'Something is there already',
    cause: 'A backup never replaces a file, and a restore needs an empty data folder.',
    cure: 'Choose another name. To restore, stop the server and move its data folder away; keep it until the restored one serves.',
  },
  'backup.unfinished': {
    code: 'PT-5406',
    ...byHand,
    exit: 2,
    title: 'A restore did not finish',
    cause:
      'A restore into this data folder was interrupted or failed, so only a part of the data may be in it. No server starts there.',
    cure: 'Make sure that no restore is running, empty the data folder with its folder "restoring", and restore again. The backup itself is unchanged.',
  },
  'backup.overdue': {
    code: 'PT-5407',
    ...byHand,
    exit: 1,
    title: 'The last backup is too old',
    cause:
      'The newest backup is older than its schedule allows: the tries since then failed, the folder cannot be read, or the server was off.',
    cure: 'ptunctl backup status says what the last try failed by; the log has each try (PT-5401). Make room or mend the folder, or make one now with ptunctl backup create.',
  },
  'backup.unknown': {
    code: 'PT-5408',
    ...byHand,
    http: 404,
    exit: 1,
    title: 'Nobody here knows of backups',
    cause:
      'The age of backups is known to a running server with the setting "backup", and to a Google Cloud project.',
    cure: 'Start the server, with "backup" in standalone.yaml. For a backup that another program made, use ptunctl backup check.',
  },
} as const satisfies Record<string, ErrorEntry>
