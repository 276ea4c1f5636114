/**
 * Mails go out by a job, requested in the transaction of the change that they report. So a mail server that is away, or
 * a process that dies, delays a mail but never loses it. The mail is wrapped in the store, because it may hold a link
 * that signs somebody in. It may arrive twice, with one Message-ID, when a process dies or a connection breaks between
 * the server's acceptance and our note of it.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { isFailure } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import type { Control } from '../control.ts'
import { type JobKind, look, type RunningJob, type Wish } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import type { KeyVault, MailMessage } from '../platform.ts'
import { countEvent } from '../rates.ts'
import { addressRef, clearBounce, hasBounced, lookToBounce, obstacleOf } from './addresses.ts'
import { renderMail } from './layout.ts'
import {
  canBeTurnedOff,
  type Letter,
  type Purpose,
  type TemplateName,
  templateNames,
  templates,
  writeLetter,
} from './templates.ts'

/** Covers about three and a half hours without a mail server. */
const attemptsMax = 12
const dayMs = 24 * 3_600_000

/** Mails a day to one address, each template by itself, so that a flood of one kind hides no other. */
const toAddress: Readonly<Record<Purpose, number>> = {
  asked: 30,
  essential: 50,
  domains: 50,
  alerts: 100,
  team: 50,
  invitations: 5,
}
/** Mails a day because of one account. */
const ofAccountMax = 1_000

/** Each is a job beside the one that leaves them, in one transaction. */
const lettersAtOnce = 20

export type SendingControl = Pick<
  Control,
  'mail' | 'vault' | 'store' | 'clock' | 'log' | 'settings' | 'offLinks'
>

const letterSchema = z.union([
  z.object({ to: z.string(), template: z.enum(templateNames), data: z.unknown() }),
  // Jobs that releases up to 0.1 left have the words themselves.
  z.object({ to: z.string(), subject: z.string(), text: z.string() }),
])
const bodySchema = z.object({ letter: z.string(), until: z.int() })

/** A mail and who gets it. */
export type Addressed = Letter & { readonly to: string }

/** The wish for `look`. @param until after this time the mail is useless */
export async function mailWish(
  vault: KeyVault,
  letter: Addressed,
  { account, until }: { readonly account: string; readonly until: number },
): Promise<Wish> {
  const wrapped = await vault.wrap(new Secret(JSON.stringify(letter)))
  return { kind: 'mail.send', subject: randomUUID(), account, body: { letter: wrapped, until } }
}

const progressSchema = z.object({ left: z.int().min(0).default(0) })

/**
 * Leaves a job for each of these mails and ends `job`. Twenty commit at once, so a job that is tried again goes on
 * where it was, and nobody is mailed twice. `letters` must have the same order in every try.
 */
export async function leaveMails(
  control: Pick<Control, 'vault' | 'clock' | 'bus' | 'log'>,
  job: RunningJob,
  { letters, until }: { readonly letters: readonly Addressed[]; readonly until: number },
): Promise<void> {
  const { vault, clock } = control
  for (let { left } = progressSchema.parse(job.progress); left < letters.length; left += lettersAtOnce) {
    job.signal.throwIfAborted()
    const some = letters.slice(left, left + lettersAtOnce)
    const { account } = job
    const wishes = await Promise.all(some.map((letter) => mailWish(vault, letter, { account, until })))
    const asked: string[] = []
    await job.advance({ left: left + lettersAtOnce }, async (tx) => {
      const asks = await Promise.all(wishes.map((wish) => look(tx, wish, clock.now())))
      asked.splice(0, asked.length, ...asks.map((ask) => ask()))
    })
    await kick(control, asked)
  }
}

export function sendMails(control: SendingControl): JobKind {
  return { name: 'mail.send', attemptsMax, run: (job) => send(control, job) }
}

async function send(control: SendingControl, job: RunningJob): Promise<void> {
  const { mail, vault, clock, log } = control
  const { letter, until } = bodySchema.parse(job.body)
  if (until <= clock.now()) {
    log.warn({ job: job.id }, 'a mail was not sent: what it tells of is over')
    return
  }
  const wanted = letterSchema.parse(JSON.parse((await vault.unwrap(letter)).reveal()))
  if (!('template' in wanted)) return mail.send({ ...wanted, id: job.key })
  const { to } = wanted
  const { purpose } = templates[wanted.template]
  const address = (await control.store.get(addressRef(to)))?.data
  const obstacle = obstacleOf(address, purpose, clock.now())
  if (obstacle !== undefined) {
    log.info({ job: job.id, obstacle }, 'a mail was not sent: its reader does not get any')
    return
  }
  const token = canBeTurnedOff(purpose) ? await control.offLinks.write(to, purpose) : undefined
  const offUrl = token && `${control.settings.issuer}/v1/mails/off/${token}`
  const content = writeLetter(wanted.template, wanted.data)
  const rendered = renderMail(content, { consoleUrl: control.settings.consoleUrl, offUrl })
  const message = { ...rendered, to, id: job.key, ...(offUrl !== undefined && { offUrl }) }
  const isTaken = await sendCounted(control, job, { message, template: wanted.template })
  if (isTaken && hasBounced(address, clock.now())) await clearBounce(control.store, to)
}

/** A mail that fails does not count: it is tried again. @returns whether a server has it now */
async function sendCounted(
  control: SendingControl,
  job: RunningJob,
  { message, template }: { readonly message: MailMessage; readonly template: TemplateName },
): Promise<boolean> {
  const { mail, clock, log } = control
  const takeBack: (() => Promise<void>)[] = []
  const max = toAddress[templates[template].purpose]
  try {
    takeBack.push(await count(control, `mail-${template}`, { subject: message.to, max }))
    if (job.account !== '')
      takeBack.push(await count(control, 'mail-account', { subject: job.account, max: ofAccountMax }))
    await mail.send(message)
    return true
  } catch (error) {
    if (isFailure(error, 'mail.limit')) {
      log.warn({ job: job.id, account: job.account, template }, 'a mail was not sent: too many a day')
      return false
    }
    for (const back of takeBack) await back()
    if (!isFailure(error, 'mail.refused')) throw error
    const reply = String(error.fields.reply ?? '')
    log.warn(
      { job: job.id, reply },
      'a mail was refused for good: its address gets only mails asked for there',
    )
    await job.finish(async (tx) => (await lookToBounce(tx, message.to, { reply, nowMs: clock.now() }))())
    return false
  }
}

function count(
  control: SendingControl,
  scope: string,
  { subject, max }: { readonly subject: string; readonly max: number },
): Promise<() => Promise<void>> {
  return countEvent(control, { scope, max, windowMs: dayMs }, { subject, key: 'mail.limit' })
}
