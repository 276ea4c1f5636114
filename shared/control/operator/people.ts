/** People and their accounts, found by id or address; and how an operator disables or enables a person. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { type MemberDoc, members, type UserDoc, users } from '../documents.ts'
import { removeAll } from '../factors/recovering.ts'
import { kick } from '../jobs/kick.ts'
import { normaliseEmail } from '../mail/addresses.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { lookToUnserve, memberOf } from '../unserve.ts'
import { declareAct, reasonSchema, recordAct, writeAct } from './act.ts'

const whoSchema = z.string().trim().min(1).max(254)
/** As in members.ts: a person has no more. */
const membershipsMax = 200
/** One address can have several sign-ins: at Google, by password, from earlier releases. */
const sameAddressMax = 20

export const peopleActs = {
  'people.disable': declareAct(
    z.strictObject({ who: whoSchema, reason: reasonSchema }),
    ({ control }, { who, reason }, by) => setPersonStatus(control, who, 'disabled', { ...by, reason }),
  ),
  'people.enable': declareAct(z.strictObject({ who: whoSchema }), ({ control }, { who }, by) =>
    setPersonStatus(control, who, 'active', by),
  ),
  'people.reset-factors': declareAct(
    z.strictObject({ who: whoSchema, reason: reasonSchema }),
    ({ control }, { who, reason }, by) => resetFactors(control, who, { ...by, reason }),
  ),
}

/** By `usr_…` or e-mail address. @throws operator.missing, operator.ambiguous */
export async function findPerson(control: Control, who: string): Promise<Snapshot<UserDoc>> {
  const [only, another] = await findPeople(control, who)
  if (!only) throw fail('operator.missing', `Nobody has the id or the e-mail address "${who}".`)
  if (another) throw fail('operator.ambiguous', `Several people have the e-mail address ${who}.`)
  return only
}

export async function findPeople(control: Control, who: string): Promise<readonly Snapshot<UserDoc>[]> {
  if (!who.includes('@')) {
    const found = await control.store.get(users.ref(who))
    return found ? [found] : []
  }
  // Spelled as both ways of signing in store it.
  const email = normaliseEmail(who)
  const { items } = await control.store.query(queries.usersByEmail, {
    where: { email },
    limit: sameAddressMax,
  })
  return items
}

export async function membershipsOf(control: Control, user: string): Promise<readonly Snapshot<MemberDoc>[]> {
  const options = { where: { user }, limit: membershipsMax }
  return (await control.store.query(queries.membersOfUser, options)).items
}

/** Changes the person first, so that no new sign-in comes between. Run again after a crash, it does the rest. */
export async function setPersonStatus(
  control: Control,
  who: string,
  status: UserDoc['status'],
  by: Parameters<typeof writeAct>[1],
) {
  const { store, clock } = control
  const found = await findPerson(control, who)
  const nowMs = clock.now()
  const user = found.ref.id
  const action = status === 'disabled' ? 'person.disabled' : 'person.enabled'
  await store.transact(async (tx) => {
    const latest = await tx.get(users.ref(user))
    if (!latest) throw fail('operator.missing')
    const { validSince } = latest.data
    // An enabled person has to sign in again.
    const since = status === 'disabled' ? Math.max(nowMs, validSince) + 1 : validSince
    tx.update(latest.ref, { status, validSince: since })
    writeAct(tx, by, { action, target: user }, nowMs)
  })
  const of = await membershipsOf(control, user)
  for (const { data } of of) {
    const { account } = data
    const job = await store.transact(async (tx) => {
      const latest = await tx.get(members.ref(`${account}:${user}`))
      if (!latest || (latest.data.status ?? 'active') === status) return undefined
      // Also ends what their keys serve; the job checks again when it runs.
      const unserve = await lookToUnserve(tx, memberOf(account, user), nowMs)
      tx.update(latest.ref, { status })
      writeAct(tx, by, { account, action: 'member.changed', target: user, details: { status } }, nowMs)
      return status === 'disabled' ? unserve() : undefined
    })
    if (job !== undefined) await kick(control, [job])
  }
  return { user, email: found.data.email, status, accounts: of.map(({ data }) => data.account) }
}

/** For somebody who lost every factor and whom the operator knows. Their sign-ins end; keys stay. */
async function resetFactors(control: Control, who: string, by: Parameters<typeof writeAct>[1]) {
  const found = await findPerson(control, who)
  const user = found.ref.id
  await recordAct(control, by, { action: 'factor.reset', target: user })
  await removeAll(control, { user, from: '' }, { action: 'factor.reset' })
  return { user, email: found.data.email }
}
