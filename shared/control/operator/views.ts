/**
 * How an operator looks at an account as its people see it. A view shows reads that their routes declare as viewable
 * (api/viewing.ts) and nothing else; it ends after half an hour. It is no credential: every request also needs the
 * operator's own sign-in, so a view's id in a log gives nobody anything. Beginning, end and what was read are in the
 * audit log of the account (docs/decisions/0088-views-of-operators.md).
 */
import { permissionsOf } from '../../api/schemas/access.ts'
import { fail } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { type Caller, type Person, roleOf } from '../caller.ts'
import type { Control } from '../control.ts'
import { type AccountDoc, accounts, type MemberDoc, members, type UserDoc, users } from '../documents.ts'
import { type JobKind, look } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { describeAccount, personCaller } from '../principals.ts'
import { membersMax, queries } from '../query-table.ts'
import { isStillOn } from '../stored-times.ts'
import { lookToTellTeam } from '../team/letters.ts'
import { type By, writeAct } from './act.ts'
import { isOperator } from './kept-mails.ts'
import { operators, type ViewDoc, views } from './operator-documents.ts'

/** Long enough to find out what somebody asks about; whoever needs longer gives a reason again. */
export const viewMs = 30 * 60_000
const jobName = 'view.end'

export type View = Pick<ViewDoc, 'account' | 'startedAt' | 'endsAt'> & {
  readonly id: string
  readonly accountName: string
  /** The member through whose eyes it looks. */
  readonly person?: string
  readonly email?: string
}

type Why = 'by hand' | 'half an hour is over' | 'another began' | 'the operator lost the role'

/**
 * Begins a view, and ends the one that this operator had.
 * @param asked `person`: a member of the account; without one it looks as an owner would, without being anybody
 * @throws operator.missing, account.closed, view.operator
 */
export async function beginView(
  control: Control,
  operator: Person,
  asked: { readonly account: string; readonly person?: string | undefined; readonly reason: string },
): Promise<View> {
  const { store, clock } = control
  const { account, person = '', reason } = asked
  await requireNoOperator(control, account, person)
  const nowMs = clock.now()
  const id = newId('viw', nowMs)
  const by = { ...byOf(operator.id), reason }
  const [view, jobs] = await store.transact(async (tx) => {
    const before = await tx.get(views.ref(operator.id))
    const seen = await readSeen(tx, { account, person })
    const endBefore = before && (await lookToEnd(tx, before, nowMs))
    const doc: ViewDoc = {
      view: id,
      signIn: operator.signIn?.id ?? '',
      account,
      person,
      startedAt: nowMs,
      endsAt: nowMs + viewMs,
      reads: {},
    }
    const body = { operator: operator.id }
    const end = await look(tx, { kind: jobName, subject: id, account: '', body, dueAt: doc.endsAt }, nowMs)
    const told = endBefore ? [endBefore('another began')] : []
    tx.set(views.ref(operator.id), doc)
    const details = { view: id }
    writeAct(tx, by, { account, action: 'view.began', target: person || account, details }, nowMs)
    return [describeView(doc, seen), [...told, end()]]
  })
  await kick(control, jobs)
  return view
}

/** The one that the operator has now. */
export async function readView(control: Control, operator: string): Promise<View | undefined> {
  const { store, clock } = control
  const found = await store.get(views.ref(operator))
  if (!found || !isOn(found.data, clock.now())) return undefined
  return describeView(found.data, await readSeen(store, found.data))
}

/** Ends it by hand. Without one it does nothing. */
export async function endView(control: Control, operator: string): Promise<void> {
  const nowMs = control.clock.now()
  const jobs = await control.store.transact(async (tx) => {
    const found = await tx.get(views.ref(operator))
    if (!found) return []
    const end = await lookToEnd(tx, found, nowMs)
    tx.delete(found.ref)
    return [end('by hand')]
  })
  await kick(control, jobs)
}

/** For an operator who is one no longer: reads, and returns what writes and gives the jobs to kick. */
export async function lookToEndViewOf(
  tx: Transaction,
  operator: string,
  nowMs: number,
): Promise<() => readonly string[]> {
  const found = await tx.get(views.ref(operator))
  const end = found && (await lookToEnd(tx, found, nowMs))
  return () => {
    if (!found || !end) return []
    tx.delete(found.ref)
    return [end('the operator lost the role')]
  }
}

/** Ends a view when its time is over, whether or not anybody looks. */
export function endViews(control: Control): JobKind {
  return {
    name: jobName,
    attemptsMax: 12,
    run: (job) =>
      job.finish(async (tx) => {
        const found = await tx.get(views.ref(`${job.body.operator}`))
        if (found?.data.view !== job.subject) return
        const end = await lookToEnd(tx, found, control.clock.now())
        tx.delete(found.ref)
        end('half an hour is over')
      }),
  }
}

/** What a view shows: an account, a member of it or nobody, and what both see. */
export type Viewed = {
  readonly caller: Caller
  /** Undefined where it looks as an owner would, without being anybody. */
  readonly person?: { readonly person: Person; readonly members: readonly MemberDoc[] }
}

type Named = { readonly view: string; readonly from: string }

/** @throws view.over, view.operator, account.closed */
export async function lookThrough(
  control: Control,
  operator: Person,
  { view, from }: Named,
): Promise<Viewed> {
  const { store, clock } = control
  if (!(await isOperator(control, operator))) throw fail('view.over')
  const doc = (await store.get(views.ref(operator.id)))?.data
  if (!isTheirs(doc, operator, { view, nowMs: clock.now() })) throw fail('view.over')
  const seen = await readSeen(store, doc)
  if (doc.person !== '' && (await store.get(operators.ref(doc.person)))) throw fail('view.operator')
  const { startedAt, endsAt } = doc
  const more = { actor: `operator:${operator.id}`, view: { startedAt, endsAt } }
  if (!seen.member || !seen.user) return { caller: { ...nobody(doc.account, seen.account, from), ...more } }
  const person = personOf(doc.person, seen.user)
  const caller = personCaller(seen.account, { person, member: seen.member, from })
  return { caller: { ...caller, ...more }, person: { person, members: [seen.member] } }
}

/**
 * Counts a read that is admitted, before it is answered: there is none that the audit log does not have.
 * @param read the name of the route's operation
 * @throws view.over
 */
export async function countRead(
  { store, clock }: Control,
  operator: Person,
  { view, read }: { readonly view: string; readonly read: string },
): Promise<void> {
  const asked = { view, nowMs: clock.now() }
  const doc = await store.change(views.ref(operator.id), (now) =>
    isTheirs(now, operator, asked)
      ? { ...now, reads: { ...now.reads, [read]: (now.reads[read] ?? 0) + 1 } }
      : 'keep',
  )
  if (!isTheirs(doc, operator, asked)) throw fail('view.over')
}

/** Another sign-in of the same person may not use it: the fresh proof was this one's. */
function isTheirs(
  doc: ViewDoc | undefined,
  { signIn }: Pick<Person, 'signIn'>,
  { view, nowMs }: { readonly view: string; readonly nowMs: number },
): doc is ViewDoc {
  return doc !== undefined && doc.view === view && doc.signIn === (signIn?.id ?? '') && isOn(doc, nowMs)
}

function isOn({ endsAt }: ViewDoc, nowMs: number): boolean {
  return isStillOn(endsAt, { nowMs, lastsMs: viewMs })
}

/** With all rights of an owner, so that every page shows what it has. Nothing can be written through a view. */
function nobody(account: string, doc: AccountDoc, from: string): Omit<Caller, 'actor'> {
  const rights = { role: 'owner', permissions: permissionsOf('owner') } as const
  return { ...describeAccount(account, doc), ...rights, scopes: [], member: '', from }
}

function personOf(id: string, { email, emailVerified, hasFactor = false, leaving }: UserDoc): Person {
  return { id, email, emailVerified, hasFactor, ...(leaving && { leavingAt: leaving.dueAt }) }
}

type Seen = { readonly account: AccountDoc; readonly member?: MemberDoc; readonly user?: UserDoc }

/** @throws operator.missing, account.closed */
async function readSeen(
  from: Pick<Transaction, 'get'>,
  { account, person }: Pick<ViewDoc, 'account' | 'person'>,
): Promise<Seen> {
  const found = await from.get(accounts.ref(account))
  if (!found) throw fail('operator.missing', `There is no account "${account}".`)
  if (found.data.status === 'closed') throw fail('account.closed')
  if (person === '') return { account: found.data }
  const member = await from.get(members.ref(`${account}:${person}`))
  const user = await from.get(users.ref(person))
  if (!member || !user) throw fail('operator.missing', `"${person}" is no member of that account.`)
  return { account: found.data, member: member.data, user: user.data }
}

/** @throws view.operator */
async function requireNoOperator({ store }: Control, account: string, person: string): Promise<void> {
  const { items } = await store.query(queries.membersOfAccount, { where: { account }, limit: membersMax })
  const concerned = items.filter(({ data }) => data.user === person || roleOf(data) === 'owner')
  const found = await store.getAll(concerned.map(({ data }) => operators.ref(data.user)))
  if (found.some((one) => one !== undefined)) throw fail('view.operator')
}

/**
 * Reads; the returned function writes what the audit log says, and returns the job that tells the owners. The document
 * is the caller's to delete or replace.
 */
async function lookToEnd(
  tx: Transaction,
  { ref, data }: Snapshot<ViewDoc>,
  nowMs: number,
): Promise<(why: Why) => string> {
  const { account, person, startedAt, endsAt, reads, view } = data
  const tell = await lookToTellTeam(tx, { event: 'viewed', account, user: person }, nowMs)
  return (why) => {
    const seconds = Math.max(0, Math.round((Math.min(nowMs, endsAt) - startedAt) / 1000))
    const details = { view, why, seconds, reads }
    writeAct(tx, byOf(ref.id), { account, action: 'view.ended', target: person || account, details }, nowMs)
    return tell()
  }
}

function byOf(operator: string): By {
  return { actor: `operator:${operator}`, from: '' }
}

function describeView({ view, account, person, startedAt, endsAt }: ViewDoc, seen: Seen): View {
  const who = seen.user && { person, email: seen.user.email }
  return { id: view, account, accountName: seen.account.name, ...who, startedAt, endsAt }
}
