/** How an operator finds, suspends and changes accounts. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { setAccountStatus } from '../accounts.ts'
import { type Control, controlOf } from '../control.ts'
import { type AccountDoc, accounts } from '../documents.ts'
import { changeLimits } from '../limits.ts'
import { listMembers } from '../members.ts'
import { subscriptions } from '../money/billing-documents.ts'
import { planNameSchema } from '../money/catalogue-schema.ts'
import { grantOf } from '../money/grants.ts'
import { limitsOf, plans } from '../plans.ts'
import { declareAct, reasonSchema, writeAct } from './act.ts'
import { findPeople, membershipsOf } from './people.ts'

const idSchema = z.string().max(64)
const limitNames = Object.keys(plans.free) as (keyof typeof plans.free)[]
const limitSchema = z.enum(limitNames as [string, ...string[]])

export const accountActs = {
  'accounts.find': declareAct(z.strictObject({ who: z.string().max(254) }), ({ control }, { who }) =>
    findAccounts(control, who.trim()),
  ),
  'accounts.show': declareAct(z.strictObject({ id: idSchema }), ({ control }, { id }) => show(control, id)),
  'accounts.suspend': declareAct(
    z.strictObject({ id: idSchema, reason: reasonSchema }),
    ({ control }, { id, reason }, by) => setStatus(control, id, 'suspended', { ...by, reason }),
  ),
  'accounts.resume': declareAct(z.strictObject({ id: idSchema }), ({ control }, { id }, by) =>
    setStatus(control, id, 'active', by),
  ),
  'accounts.close': declareAct(
    z.strictObject({ id: idSchema, reason: reasonSchema }),
    ({ control }, { id, reason }, by) => setStatus(control, id, 'closed', { ...by, reason }),
  ),
  'accounts.plan': declareAct(
    z.strictObject({ id: idSchema, plan: planNameSchema }),
    async ({ control }, { id, plan }, by) => {
      await find(control, id)
      const paid = await control.store.get(subscriptions.ref(id))
      if (paid && paid.data.state !== 'free') throw fail('billing.pays')
      const granted = grantOf(await control.catalogues.newest(), plan)
      await changeLimits(controlOf(control, id), (tx, before, nowMs) => {
        writeAct(
          tx,
          by,
          { account: id, action: 'account.plan', target: id, details: { from: before.plan, to: plan } },
          nowMs,
        )
        // A new plan begins a new period.
        return { ...before, ...granted, ...(before.plan !== plan && { periodAnchor: nowMs }) }
      })
      return show(control, id)
    },
  ),
  /** Without a value, the plan's own limit applies again. */
  'accounts.override': declareAct(
    z.strictObject({ id: idSchema, limit: limitSchema, value: z.int().min(0).optional() }),
    async ({ control }, { id, limit, value }, by) => {
      await find(control, id)
      await changeLimits(controlOf(control, id), (tx, before, nowMs) => {
        const { [limit]: _, ...others } = before.overrides
        const overrides = value === undefined ? others : { ...others, [limit]: value }
        const details = { limit, value: value ?? null }
        writeAct(tx, by, { account: id, action: 'account.override', target: id, details }, nowMs)
        return { ...before, overrides }
      })
      return show(control, id)
    },
  ),
}

async function findAccounts(control: Control, who: string) {
  const direct = who.startsWith('acc_') ? [who] : []
  const people = who.startsWith('acc_') ? [] : await findPeople(control, who)
  const of = await Promise.all(people.map(({ ref }) => membershipsOf(control, ref.id)))
  const ids = [...new Set([...direct, ...of.flat().map(({ data }) => data.account)])]
  const found = await control.store.getAll(ids.map((id) => accounts.ref(id)))
  const rows = found.flatMap((snapshot) => {
    if (!snapshot) return []
    const member = of.flat().find(({ data }) => data.account === snapshot.ref.id)
    const { name, plan, status, createdAt } = snapshot.data
    const person = member && { person: member.data.user, role: member.data.role }
    return [{ id: snapshot.ref.id, name, plan, status, ...person, createdAt }]
  })
  if (rows.length === 0) throw fail('operator.missing', `No account belongs to "${who}".`)
  return rows
}

/** @throws operator.missing */
export async function find({ store }: Control, id: string): Promise<AccountDoc> {
  const found = await store.get(accounts.ref(id))
  if (!found) throw fail('operator.missing', `There is no account "${id}".`)
  return found.data
}

async function show(control: Control, id: string) {
  const account = await find(control, id)
  const { name, plan, status, createdAt, closedAt, overrides } = account
  const limits = limitsOf(account)
  const times = { createdAt, ...(closedAt !== undefined && { closedAt }) }
  const people = await listMembers(control, id)
  return {
    id,
    name,
    plan,
    status,
    statusVersion: account.statusVersion,
    ...times,
    overrides,
    limits,
    members: people,
  }
}

/** @throws operator.missing */
export async function setStatus(
  control: Control,
  id: string,
  status: AccountDoc['status'],
  by: Parameters<typeof writeAct>[1],
) {
  const before = await find(control, id)
  // Under a deletion that can be undone, what it leads back to.
  const effective = before.status === 'closed' ? 'closed' : (before.leaving?.was ?? before.status)
  if (effective !== status) await setAccountStatus(control, id, status, by)
  const { name, status: now } = await find(control, id)
  return { id, name, status: now }
}
