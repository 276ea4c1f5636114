/** Mails to owners of a tunnel that was taken down, put back or warned about, and to operators about new reports. */
import { z } from 'zod'
import { queryAll } from '../cells.ts'
import type { Control } from '../control.ts'
import { accounts, users } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { abuseNews } from '../mail/abuse-templates.ts'
import { linkOf } from '../mail/links.ts'
import { leaveMails } from '../mail/sending.ts'
import type { Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { addressesWith } from '../team/letters.ts'

const bodySchema = z.object({ news: z.enum(abuseNews), name: z.string(), reason: z.string() })
/** Later, the news would only confuse. */
const usefulMs = 7 * 24 * 3_600_000

type OwnerNews = z.infer<typeof bodySchema> & { readonly account: string; readonly tunnel: string }

/** Reads, so call it before the first write; the returned function writes, and returns the job to kick. */
export function lookToWriteToOwners(
  tx: Transaction,
  { account, tunnel, ...body }: OwnerNews,
  nowMs: number,
): Promise<() => string> {
  return look(tx, { kind: 'abuse.mail', subject: `${body.news}:${tunnel}`, account, body }, nowMs)
}

export function writeToOwners(control: Control): JobKind {
  return { name: 'abuse.mail', attemptsMax: 12, run: (job) => write(control, job) }
}

async function write(control: Control, job: RunningJob): Promise<void> {
  const { store, clock, settings } = control
  const body = bodySchema.parse(job.body)
  const account = await store.get(accounts.ref(job.account))
  if (!account) return
  const tunnel = job.subject.slice(body.news.length + 1)
  const link = `${linkOf(settings, 'abuse-news')}/tunnels/${tunnel}`
  const data = { ...body, account: account.data.name, link }
  const to = await addressesWith(control, job.account, 'owners.manage')
  const letters = to.map((one) => ({ to: one, template: 'abuse-news', data }) as const)
  await leaveMails(control, job, { letters, until: clock.now() + usefulMs })
}

/** The number in the mail is a hint; the page has all. */
const countedMax = 100

/** Tells operators that reports wait; when all are decided meanwhile, nobody. */
export function tellOfReports(control: Control): JobKind {
  return { name: 'abuse.news', attemptsMax: 12, run: (job) => tellOperators(control, job) }
}

async function tellOperators(control: Control, job: RunningJob): Promise<void> {
  const { store, clock, settings } = control
  const where = { state: 'open' }
  const { items } = await store.query(queries.abuseByState, { where, limit: countedMax })
  const [latest] = items
  if (!latest) return
  const found = await queryAll(store, queries.operatorsByState, { where: { state: 'active' } })
  const people = await store.getAll(found.map(({ ref }) => users.ref(ref.id)))
  const to = people.flatMap((one) => (one && one.data.email !== '' ? [one.data.email] : []))
  const link = linkOf(settings, 'reports-waiting')
  const data = { count: items.length, address: latest.data.address, link }
  const letters = to.map((one) => ({ to: one, template: 'reports-waiting', data }) as const)
  await leaveMails(control, job, { letters, until: clock.now() + usefulMs })
}
