/** Mails about who belongs to an account and what it pays for, to those whom it concerns. */
import { z } from 'zod'
import { type Permission, permissionsOf } from '../../api/schemas/access.ts'
import { roleOf } from '../caller.ts'
import { queryAll } from '../cells.ts'
import type { Control } from '../control.ts'
import { type AccountDoc, accounts, type MemberDoc, users } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { dayOf, endOf } from '../leaving/terms.ts'
import { linkOf } from '../mail/links.ts'
import { type Addressed, leaveMails } from '../mail/sending.ts'
import { type SubscriptionDoc, subscriptions } from '../money/billing-documents.ts'
import { graceMs } from '../money/following-rules.ts'
import { pricesOfMove } from '../money/moving-payers.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'

const leavingEvents = ['leaving', 'leaving-soon', 'left', 'kept'] as const
const moneyEvents = [
  'billing-open',
  'billing-limited',
  'billing-trial',
  'billing-second',
  'billing-moved',
  'billing-moving',
  'billing-lost',
] as const
const memberEvents = ['joined', 'removed', 'owner', 'suspended', 'viewed', 'factor'] as const
const eventSchema = z.enum([...memberEvents, ...leavingEvents, ...moneyEvents])
type TeamEvent = z.infer<typeof eventSchema>
export type MoneyEvent = (typeof moneyEvents)[number]
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
  const letter = isLeaving(event)
    ? leavingLetter(control, account.data, event)
    : isMoney(event)
      ? await moneyLetter(control, account, event)
      : teamLetter(settings, event, { account: account.data.name, who })
  if (!letter) return
  const letters = all.map(letter)
  await leaveMails(control, job, { letters, until: clock.now() + usefulMs })
}

function isLeaving(event: TeamEvent): event is (typeof leavingEvents)[number] {
  return (leavingEvents as readonly TeamEvent[]).includes(event)
}

function isMoney(event: TeamEvent): event is MoneyEvent {
  return (moneyEvents as readonly TeamEvent[]).includes(event)
}

/** @returns undefined when there is nothing to tell any more */
async function moneyLetter(
  control: Control,
  { ref, data: { name } }: Snapshot<AccountDoc>,
  event: MoneyEvent,
): Promise<((to: string) => Addressed) | undefined> {
  const { store, clock, settings } = control
  const doc = (await store.get(subscriptions.ref(ref.id)))?.data
  const day = dayOf(doc ? dayOfNews(doc, event, clock.now()) : clock.now())
  const data = { account: name, day, link: linkOf(settings, event) }
  if (event !== 'billing-moving') return (to) => ({ to, template: event, data })
  const prices = doc && (await pricesOfMove(control, doc))
  return prices && ((to) => ({ to, template: event, data: { ...data, ...prices } }))
}

/** The day that the mail names. */
function dayOfNews(
  { graceFrom, trialEnd, moving }: SubscriptionDoc,
  event: MoneyEvent,
  nowMs: number,
): number {
  if (event === 'billing-open' && graceFrom > 0) return graceFrom + graceMs
  if (event === 'billing-moving' && moving) return moving.after
  return event === 'billing-trial' && trialEnd > 0 ? trialEnd : nowMs
}

function teamLetter(
  settings: Control['settings'],
  event: (typeof memberEvents)[number],
  about: { readonly account: string; readonly who: string },
): (to: string) => Addressed {
  const isOfAccount = event === 'suspended' || event === 'viewed'
  const template = isOfAccount ? (`account-${event}` as const) : (`member-${event}` as const)
  const data = { ...about, link: linkOf(settings, template) }
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
    link: linkOf(settings, `account-${event}`),
  }
  return (to) => ({ to, template: `account-${event}`, data })
}

/** Those who could have done it, or could do something about it. */
async function readersOf(control: Control, account: string, event: TeamEvent): Promise<readonly string[]> {
  // Its end, and what it asks of its members, concern everybody.
  const isForAll = isLeaving(event) || event === 'factor'
  const right = isMoney(event)
    ? 'billing.write'
    : isForAll
      ? 'account.read'
      : event === 'joined'
        ? 'members.manage'
        : 'owners.manage'
  return addressesWith(control, account, right)
}

/** The mail addresses of the account's people who have this right now. */
export async function addressesWith(
  { store }: Pick<Control, 'store'>,
  account: string,
  right: Permission,
): Promise<readonly string[]> {
  const mayKnow = (member: MemberDoc) =>
    member.status !== 'disabled' && permissionsOf(roleOf(member)).has(right)
  const all = await queryAll(store, queries.membersOfAccount, { where: { account } })
  const told = all.filter(({ data }) => mayKnow(data))
  const people = await store.getAll(told.map(({ data }) => users.ref(data.user)))
  return people.flatMap((one) => (one && one.data.email !== '' ? [one.data.email] : []))
}
