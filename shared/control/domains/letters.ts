/**
 * Mails to owners about their domains: a proof is missing, has been missing for days, or another account has the host.
 */
import { z } from 'zod'
import { roleOf } from '../caller.ts'
import { queryAll } from '../cells.ts'
import type { Control } from '../control.ts'
import { users } from '../documents.ts'
import type { JobKind, RunningJob, Wish } from '../jobs/jobs.ts'
import { linkOf } from '../mail/links.ts'
import { leaveMails } from '../mail/sending.ts'
import { queries } from '../query-table.ts'
import type { DomainDoc } from './domain-documents.ts'

export type Letter = 'verified' | 'failing' | 'suspended' | 'lost'

const bodySchema = z.object({ host: z.string(), letter: z.enum(['failing', 'suspended', 'lost']) })
const templateOf = {
  failing: 'domain-failing',
  suspended: 'domain-suspended',
  lost: 'domain-lost',
} as const

/** @param subject of the job: one mail of a kind for a claim at a time */
export function letterWish(
  subject: string,
  { account, host }: Pick<DomainDoc, 'account' | 'host'>,
  letter: Letter,
): Wish {
  return { kind: 'domain.mail', subject: `${letter}:${subject}`, account, body: { host, letter } }
}

export function tellOwners(control: Control): JobKind {
  return { name: 'domain.mail', attemptsMax: 12, run: (job) => tell(control, job) }
}

/** A mail about a state of that long ago would only confuse. */
const usefulMs = 3 * 24 * 3_600_000

async function tell(control: Control, job: RunningJob): Promise<void> {
  const { host, letter } = bodySchema.parse(job.body)
  const data = { host, link: linkOf(control.settings, templateOf[letter]) }
  const owners = await ownersOf(control, job.account)
  const letters = owners.map((to) => ({ to, template: templateOf[letter], data }))
  await leaveMails(control, job, { letters, until: control.clock.now() + usefulMs })
}

async function ownersOf({ store }: Control, account: string): Promise<readonly string[]> {
  const members = await queryAll(store, queries.membersOfAccount, { where: { account } })
  const owners = members.filter(({ data }) => roleOf(data) === 'owner' && data.status !== 'disabled')
  const people = await store.getAll(owners.map(({ data }) => users.ref(data.user)))
  return people.flatMap((one) => (one && one.data.email !== '' ? [one.data.email] : []))
}
