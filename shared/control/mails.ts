/**
 * Mails go out by a job, requested in the transaction of the change that they report. So a mail server that is away, or
 * a process that dies, delays a mail but never loses it. The mail is wrapped in the store, because it may hold a link
 * that signs somebody in. It may arrive twice, with one Message-ID.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Secret } from '../base/secret.ts'
import type { Control } from './control.ts'
import type { JobKind, RunningJob, Wish } from './jobs/jobs.ts'
import type { KeyVault } from './platform.ts'

/** Covers about three and a half hours without a mail server. */
const attemptsMax = 12

const letterSchema = z.object({ to: z.string(), subject: z.string(), text: z.string() })
type Letter = z.infer<typeof letterSchema>
const bodySchema = z.object({ letter: z.string(), until: z.int() })

/** The wish for `look`. @param until after this time the mail is useless */
export async function mailWish(
  vault: KeyVault,
  letter: Letter,
  { account, until }: { readonly account: string; readonly until: number },
): Promise<Wish> {
  const wrapped = await vault.wrap(new Secret(JSON.stringify(letter)))
  return { kind: 'mail.send', subject: randomUUID(), account, body: { letter: wrapped, until } }
}

export function sendMails(control: Pick<Control, 'mail' | 'vault' | 'clock' | 'log'>): JobKind {
  return { name: 'mail.send', attemptsMax, run: (job) => send(control, job) }
}

async function send(
  { mail, vault, clock, log }: Pick<Control, 'mail' | 'vault' | 'clock' | 'log'>,
  job: RunningJob,
): Promise<void> {
  const { letter, until } = bodySchema.parse(job.body)
  if (until <= clock.now()) {
    log.warn({ job: job.id }, 'a mail was not sent: what it tells of is over')
    return
  }
  const { to, subject, text } = letterSchema.parse(JSON.parse((await vault.unwrap(letter)).reveal()))
  await mail.send({ to, subject, text, id: job.key })
}
