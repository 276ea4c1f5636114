/** Mails to a person about what was done in their name: if it was not them, they must hear of it. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Control } from '../control.ts'
import { users } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import type { Transaction } from '../platform.ts'
import { factorNews } from './factor-news.ts'
import { linkOf } from './links.ts'
import { type Addressed, leaveMails } from './sending.ts'

const noticeSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('key'), user: z.string(), name: z.string(), from: z.string() }),
  z.object({ event: z.literal('password'), user: z.string(), from: z.string() }),
  z.object({ event: z.enum(['linked', 'unlinked']), user: z.string(), name: z.string(), from: z.string() }),
  z.object({ event: z.literal('place'), user: z.string(), from: z.string(), device: z.string() }),
  z.object({
    event: z.literal('leaves'),
    user: z.string(),
    day: z.string(),
    isAlone: z.boolean(),
    /** The reminder, three days before the end; older releases omit it. */
    isSoon: z.boolean().default(false),
  }),
  z.object({ event: z.literal('stays'), user: z.string() }),
  z.object({
    event: z.literal('factor'),
    user: z.string(),
    news: z.enum(factorNews),
    name: z.string(),
    from: z.string(),
  }),
])
type Notice = z.infer<typeof noticeSchema>

const bodySchema = z.object({ notice: noticeSchema, at: z.int() })
/** Older news still helps somebody whose account was taken over. */
const usefulMs = 7 * 24 * 3_600_000

/**
 * Reads, so call it before the first write; the returned function writes, and returns the job to kick.
 * @param account where it happened; '' = in none
 */
export function lookToNotify(
  tx: Transaction,
  notice: Notice,
  { account, nowMs }: { readonly account: string; readonly nowMs: number },
): Promise<() => string> {
  const body = { notice, at: nowMs }
  return look(tx, { kind: 'person.mail', subject: randomUUID(), account, body }, nowMs)
}

export function notifyPeople(control: Control): JobKind {
  return { name: 'person.mail', attemptsMax: 12, run: (job) => notify(control, job) }
}

async function notify(control: Control, job: RunningJob): Promise<void> {
  const { notice, at } = bodySchema.parse(job.body)
  const email = (await control.store.get(users.ref(notice.user)))?.data.email
  // Erased meanwhile.
  if (email === undefined || email === '') return
  const letter = letterOf(notice, { to: email, at, place: control.settings })
  await leaveMails(control, job, { letters: [letter], until: at + usefulMs })
}

const templateOf = { linked: 'sign-in-linked', unlinked: 'sign-in-removed', key: 'key-created' } as const

function letterOf(
  notice: Notice,
  { to, at, place }: { readonly to: string; readonly at: number; readonly place: Control['settings'] },
): Addressed {
  const when = `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  if (notice.event === 'leaves') {
    const { day, isAlone, isSoon } = notice
    const link = linkOf(place, 'person-leaving')
    return { to, template: 'person-leaving', data: { day, isAlone, isSoon, link } }
  }
  if (notice.event === 'stays')
    return { to, template: 'person-stays', data: { link: linkOf(place, 'person-stays') } }
  const { from } = notice
  if (notice.event === 'factor') {
    const { news, name } = notice
    return {
      to,
      template: 'factor-news',
      data: { when, from, news, name, link: linkOf(place, 'factor-news') },
    }
  }
  if (notice.event === 'password')
    return { to, template: 'password-changed', data: { when, from, link: linkOf(place, 'password-changed') } }
  if (notice.event === 'place') {
    const data = { when, from, device: notice.device, link: linkOf(place, 'sign-in-new') }
    return { to, template: 'sign-in-new', data }
  }
  const template = templateOf[notice.event]
  return { to, template, data: { when, from, name: notice.name, link: linkOf(place, template) } }
}
