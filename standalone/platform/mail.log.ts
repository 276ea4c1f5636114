/**
 * Mail without a mail server: each message becomes a 0600 file that the operator passes on. The log names only the
 * file, because a message may hold a link that signs somebody in.
 */

import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import type { Mail } from '@porttunneler/shared/control/platform'

/** How many of the newest are kept: strangers can request reset mails, so the folder must not grow with them. */
export const mailFilesMax = 500

/** @param folder made with mode 0700 at the first message */
export function openLogMail({
  folder,
  clock,
  log,
}: {
  readonly folder: string
  readonly clock: Clock
  readonly log: Log
}): Mail {
  return {
    async send({ to, subject, text, id }) {
      const time = new Date(clock.now()).toISOString()
      const file = join(folder, `${time.replaceAll(':', '-')}-${randomBytes(4).toString('hex')}.txt`)
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        // JSON keeps a line break in an address from looking like another header.
        const head = `Date: ${time}\nTo: ${JSON.stringify(to)}\nSubject: ${JSON.stringify(subject)}\nId: ${id}\n`
        await writeFile(file, `${head}\n${text}\n`, { mode: 0o600, flag: 'wx' })
        await removeOldest(folder)
      } catch (cause) {
        throw fail('mail.failed', `${file} cannot be written${sayFileError(cause)}`, { cause })
      }
      log.info({ file }, 'a mail waits in this file for the operator to hand on')
    },
  }
}

/** File names begin with the time, so they sort in the order of writing. */
async function removeOldest(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.txt')).sort()
  for (const name of files.slice(0, -mailFilesMax)) await rm(join(folder, name), { force: true })
}
