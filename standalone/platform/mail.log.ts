/**
 * Mail without a mail server: each message becomes a 0600 file that the operator passes on, or reads in the console.
 * The log names only the file, because a message may hold a link that signs somebody in.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import type { KeptMails, Mail } from '@porttunneler/shared/control/platform'
import { z } from 'zod'

/** How many of the newest are kept: strangers can request reset mails, so the folder must not grow with them. */
export const mailFilesMax = 500

/** The name of a mail's files, without the ending: the time, then random digits. */
const idShape = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3}Z)-[0-9a-f]{8}$/
const headSchema = z.object({ to: z.string(), subject: z.string() })

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
    async send({ to, subject, text, html, id }) {
      const time = new Date(clock.now()).toISOString()
      const base = join(folder, `${time.replaceAll(':', '-')}-${randomBytes(4).toString('hex')}`)
      const file = `${base}.txt`
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        if (html !== undefined) await writeFile(`${base}.html`, html, { mode: 0o600, flag: 'wx' })
        // JSON keeps a line break in an address from looking like another header.
        const head = `Date: ${time}\nTo: ${JSON.stringify(to)}\nSubject: ${JSON.stringify(subject)}\nId: ${id}\n`
        await writeFile(file, `${head}\n${text}\n`, { mode: 0o600, flag: 'wx' })
        await removeOldest(folder)
      } catch (cause) {
        throw fail('mail.failed', `${file} cannot be written${sayFileError(cause)}`, { cause })
      }
      log.info({ file }, 'a mail waits in this file for the operator to hand on')
    },
    kept: {
      async list(limit) {
        const found = await Promise.all(
          (await namesIn(folder)).slice(-limit).map((name) => readOne(folder, name)),
        )
        return found
          .flatMap((one) => (one ? [{ id: one.id, at: one.at, to: one.to, subject: one.subject }] : []))
          .reverse()
      },
      read: (id) => readOne(folder, id),
    },
  }
}

/** @returns undefined for one that is no longer there, or that somebody else wrote */
async function readOne(folder: string, id: string): Promise<Awaited<ReturnType<KeptMails['read']>>> {
  const time = idShape.exec(id)
  if (!time) return undefined
  const [file, html] = await Promise.all([
    readFile(join(folder, `${id}.txt`), 'utf8').catch(() => undefined),
    readFile(join(folder, `${id}.html`), 'utf8').catch(() => undefined),
  ])
  const [, to = '', subject = '', text = ''] =
    /^Date: .*\nTo: (.*)\nSubject: (.*)\nId: .*\n\n([\s\S]*)$/.exec(file ?? '') ?? []
  const head = headSchema.safeParse({ to: unquote(to), subject: unquote(subject) })
  if (file === undefined || !head.success) return undefined
  const at = Date.parse(`${time[1]}:${time[2]}:${time[3]}`)
  return { id, at, ...head.data, text, ...(html !== undefined && { html }) }
}

function unquote(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Names without their ending, in the order of writing: they begin with the time. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => [])
  return names
    .filter((name) => name.endsWith('.txt'))
    .map((name) => name.slice(0, -4))
    .sort()
}

async function removeOldest(folder: string): Promise<void> {
  for (const name of (await namesIn(folder)).slice(0, -mailFilesMax))
    for (const ending of ['txt', 'html']) await rm(join(folder, `${name}.${ending}`), { force: true })
}
