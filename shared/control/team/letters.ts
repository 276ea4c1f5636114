/** Mails about who belongs to an account, to those whom it concerns. */
import { z } from 'zod'
import { permissionsOf } from '../../api/schemas/access.ts'
import { roleOf } from '../caller.ts'
import { queryAll } from '../cells.ts'
import type { Control } from '../control.ts'
import { type AccountDoc, accounts, type MemberDoc, users } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { dayOf, endOf } from '../leaving/terms.ts'
import { type Addressed, leaveMails } from '../mail/sending.ts'
import type { Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'

const leavingEvents = ['leaving', 'leaving-soon', 'left', 'kept'] as const
const eventSchema = z.enum(['joined', 'removed', 'owner', 'suspended', 'viewed', 'factor', ...leavingEvents])
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
  const to = event === 'removed' ? [who] : await readersOf(control, job.account, event)
  // The member through whose eyes an operator looked has been looked at, too.
  const all = event === 'viewed' && who !== '' && !to.includes(who) ? [...to, who] : to
  const page = event === 'factor' ? 'security' : event === 'viewed' ? 'account' : 'members'
  const letters = isLeaving(event)
    ? all.map(leavingLetter(control, account.data, event))
    : all.map(teamLetter(event, { account: account.data.name, who, link: `${settings.consoleUrl}/${page}` }))
  await leaveMails(control, job, { letters, until: clock.now() + usefulMs })
}

function isLeaving(event: TeamEvent): event is (typeof leavingEvents)[number] {
  return (leavingEvents as readonly TeamEvent[]).includes(event)
}

function teamLetter(
  event: Exclude<TeamEvent, (typeof leavingEvents)[number]>,
  data: { readonly account: string; readonly who: string; readonly link: string },
): (to: string) => Addressed {
  const isOfAccount = event === 'suspended' || event === 'viewed'
  const template = isOfAccount ? (`account-${event}` as const) : (`member-${event}` as const)
  return (to) => ({ to, template, data })
}

function leavingLetter(
  { clock, settings }: Control,
  { name, leaving }: AccountDoc,
  event: (typeof leavingEvents)[number],
): (to: string) => Addressed {
  const nowMs = clock.now()
  const data = {
    account: name,
    day: dayOf(leaving ? endOf(leaving, nowMs) : nowMs),
    link: `${settings.consoleUrl}/account`,
  }
  return (to) => ({ to, template: `account-${event}`, data })
}

/** Those who could have done it, or could do something about it. */
async function readersOf({ store }: Control, account: string, event: TeamEvent): Promise<readonly string[]> {
  // Its end, and what it asks of its members, concern everybody.
  const isForAll = isLeaving(event) || event === 'factor'
  const right = isForAll ? 'account.read' : event === 'joined' ? 'members.manage' : 'owners.manage'
  const mayKnow = (member: MemberDoc) =>
    member.status !== 'disabled' && permissionsOf(roleOf(member)).has(right)
  const all = await queryAll(store, queries.membersOfAccount, { where: { account } })
  const told = all.filter(({ data }) => mayKnow(data))
  const people = await store.getAll(told.map(({ data }) => users.ref(data.user)))
  return people.flatMap((one) => (one && one.data.email !== '' ? [one.data.email] : []))
}
