/** Mails about who belongs to an account, to those whom it concerns. */
import { z } from 'zod'
import { permissionsOf } from '../../api/schemas/access.ts'
import { roleOf } from '../caller.ts'
import { queryAll } from '../cells.ts'
import type { Control } from '../control.ts'
import { accounts, type MemberDoc, users } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { type Addressed, leaveMails } from '../mail/sending.ts'
import type { Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'

const eventSchema = z.enum(['joined', 'removed', 'owner', 'suspended'])
type TeamEvent = z.infer<typeof eventSchema>
const bodySchema = z.object({ event: eventSchema, user: z.string() })
/** Later, the news would only confuse. */
const usefulMs = 3 * 24 * 3_600_000

/**
 * Reads, so call it before the first write; the returned function writes, and returns the job to kick.
 * @param user whom it concerns; '' = all of them
 */
export function lookToTellTeam(
  tx: Transaction,
  { event, account, user }: { readonly event: TeamEvent; readonly account: string; readonly user: string },
  nowMs: number,
): Promise<() => string> {
  const subject = `${event}:${account}:${user}`
  return look(tx, { kind: 'team.mail', subject, account, body: { event, user } }, nowMs)
}

export function tellTeam(control: Control): JobKind {
  return { name: 'team.mail', attemptsMax: 12, run: (job) => tell(control, job) }
}

async function tell(control: Control, job: RunningJob): Promise<void> {
  const { store, clock, settings } = control
  const { event, user } = bodySchema.parse(job.body)
  const account = await store.get(accounts.ref(job.account))
  const who = user === '' ? '' : (await store.get(users.ref(user)))?.data.email
  // Erased meanwhile.
  if (!account || who === undefined) return
  const data = { account: account.data.name, who, link: `${settings.consoleUrl}/members` }
  const template = event === 'suspended' ? 'account-suspended' : (`member-${event}` as const)
  const to = event === 'removed' ? [who] : await readersOf(control, job.account, event)
  const letters = to.map((each): Addressed => ({ to: each, template, data }))
  await leaveMails(control, job, { letters, until: clock.now() + usefulMs })
}

/** Those who could have done it, or could do something about it. */
async function readersOf({ store }: Control, account: string, event: TeamEvent): Promise<readonly string[]> {
  const right = event === 'joined' ? 'members.manage' : 'owners.manage'
  const mayKnow = (member: MemberDoc) =>
    member.status !== 'disabled' && permissionsOf(roleOf(member)).has(right)
  const all = await queryAll(store, queries.membersOfAccount, { where: { account } })
  const told = all.filter(({ data }) => mayKnow(data))
  const people = await store.getAll(told.map(({ data }) => users.ref(data.user)))
  return people.flatMap((one) => (one && one.data.email !== '' ? [one.data.email] : []))
}
