/**
 * A person who deletes their sign-in: for two weeks it leads to an export and to an undoing alone, their keys are
 * refused and their agents off, and accounts that are theirs alone leave with them. Then they are erased. One job per
 * person brings everything into the state that their document asks for, one membership in a step, and may be killed
 * between any two.
 */
import { fail } from '../../base/errors.ts'
import { type AuditCaller, byCaller, writeAudit } from '../audit.ts'
import { type Person, roleOf } from '../caller.ts'
import type { Control } from '../control.ts'
import { accounts, type MemberDoc, users } from '../documents.ts'
import { look } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { lookToNotify } from '../mail/notices.ts'
import { operators } from '../operator/operator-documents.ts'
import type { Snapshot, Store } from '../platform.ts'
import { membersMax, queries } from '../query-table.ts'
import { endOf, leavingFrom, withoutLeaving } from './terms.ts'

export const leaveKind = 'person.leave'
/** As in accounts.ts: nobody has more. */
const membershipsMax = 200

type By = Pick<AuditCaller, 'from' | 'userAgent'>

/** Asked again, it changes nothing. @throws person.operator, person.last_owner */
export async function leave(control: Control, person: Person, by: By): Promise<void> {
  const { store, clock } = control
  const { id } = person
  // Said before anything is done; the job looks again.
  const kept = await accountsThatNeed(store, id)
  if (kept.length > 0) {
    const names = kept.map((name) => `"${name}"`).join(', ')
    throw fail('person.last_owner', `You are the last owner of ${names}, which other people use.`)
  }
  const nowMs = clock.now()
  const jobs = await store.transact(async (tx) => {
    const [found, operator] = [await tx.get(users.ref(id)), await tx.get(operators.ref(id))]
    if (!found) throw fail('auth.invalid')
    if (operator) throw fail('person.operator')
    if (found.data.leaving && !found.data.leaving.isAlone) return []
    const ask = await look(tx, { kind: leaveKind, subject: id, account: '' }, nowMs)
    tx.update(found.ref, { leaving: leavingFrom(nowMs) })
    writeAudit(tx, { ...entryOf(id, by), action: 'person.leaving' }, nowMs)
    return [ask()]
  })
  await kick(control, jobs)
}

/** Undoes it. @throws leaving.none */
export async function stay(control: Control, { id }: Person, by: By): Promise<void> {
  const { store, clock } = control
  const nowMs = clock.now()
  const jobs = await store.transact(async (tx) => {
    const found = await tx.get(users.ref(id))
    if (!found?.data.leaving || endOf(found.data.leaving, nowMs) <= nowMs) throw fail('leaving.none')
    const ask = await look(tx, { kind: leaveKind, subject: id, account: '' }, nowMs)
    const tell = await lookToNotify(tx, { event: 'stays', user: id }, { account: '', nowMs })
    tx.set(found.ref, withoutLeaving(found.data))
    writeAudit(tx, { ...entryOf(id, by), action: 'person.kept' }, nowMs)
    return [ask(), tell()]
  })
  await kick(control, jobs)
}

function entryOf(id: string, { from, userAgent }: By) {
  return { ...byCaller({ account: '', actor: id, from, userAgent }), target: id }
}

export async function membershipsOf(
  store: Pick<Store, 'query'>,
  user: string,
): Promise<readonly Snapshot<MemberDoc>[]> {
  return (await store.query(queries.membersOfUser, { where: { user }, limit: membershipsMax })).items
}

/** Whose the account is, apart from this person. Service members are nobody. */
export type Others = 'nobody' | 'an owner' | 'no owner'

export function othersThan(user: string, of: readonly Snapshot<MemberDoc>[]): Others {
  const people = of.filter(({ data }) => data.user !== user && data.name === undefined)
  if (people.length === 0) return 'nobody'
  const isOwner = ({ data }: Snapshot<MemberDoc>) => roleOf(data) === 'owner' && data.status !== 'disabled'
  return people.some(isOwner) ? 'an owner' : 'no owner'
}

async function membersOf(
  store: Pick<Store, 'query'>,
  account: string,
): Promise<readonly Snapshot<MemberDoc>[]> {
  return (await store.query(queries.membersOfAccount, { where: { account }, limit: membersMax })).items
}

/** Names of the accounts that would be left to people of whom none is an owner. */
async function accountsThatNeed(store: Store, user: string): Promise<readonly string[]> {
  const names: string[] = []
  for (const { data } of await membershipsOf(store, user)) {
    if (roleOf(data) !== 'owner') continue
    const account = (await store.get(accounts.ref(data.account)))?.data
    // One that is leaving leaves nobody anything.
    if (!account || account.status === 'closed' || account.leaving) continue
    if (othersThan(user, await membersOf(store, data.account)) === 'no owner') names.push(account.name)
  }
  return names
}
