/** The waiting list of a beta: who waits, the next who are invited, who came; and how an address is forgotten. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { newInviteCode, writeInvite } from '../invites.ts'
import { look } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { planNameSchema } from '../money/catalogue-schema.ts'
import type { Page, QueryOptions, Ref } from '../platform.ts'
import { queries } from '../query-table.ts'
import { invitationWish, type WaitingDoc, waitingRef } from '../wait-list.ts'
import { type By, declareAct, recordAct, writeAct } from './act.ts'
import { daysSchema } from './invites.ts'

const listSchema = z.strictObject({
  state: z.enum(['asked', 'waiting', 'invited', 'came']).default('waiting'),
  limit: z.int().min(1).max(500).default(100),
})
const inviteSchema = z.strictObject({
  count: z.int().min(1).max(100),
  plan: planNameSchema.default('free'),
  days: daysSchema,
})

export const waitListActs = {
  'waitlist.list': declareAct(listSchema, async ({ control }, { state, limit }) => {
    const { items } = await control.store.query(queries.waitListByState, { where: { state }, limit })
    return items.map(({ data: { email, at, invite, cameAs } }) => ({
      email,
      state,
      at,
      invite,
      account: cameAs,
    }))
  }),
  /** The oldest first. Without mail the answer has the codes, for the operator to send. */
  'waitlist.invite': declareAct(inviteSchema, ({ control }, wish, by) => inviteWaiting(control, wish, by)),
  'waitlist.remove': declareAct(
    z.strictObject({ email: z.string().trim().min(3).max(254) }),
    async ({ control }, { email }, by) => {
      const ref = waitingRef(email)
      if (!(await control.store.get(ref)))
        throw fail('operator.missing', `${email} is not on the waiting list.`)
      await recordAct(control, by, { action: 'waitlist.removed', target: '' })
      await control.store.delete(ref)
      return { email }
    },
  ),
}

/** The longest waiting first. */
export function pageWaiting(
  { store }: Pick<Control, 'store'>,
  state: WaitingDoc['state'],
  page: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<WaitingDoc>> {
  return store.query(queries.waitListByState, { where: { state }, ...page })
}

export function describeWaiting({ email, state, at, invite, cameAs }: WaitingDoc) {
  return { email, state, at, ...(invite !== '' && { invite }), ...(cameAs !== '' && { account: cameAs }) }
}

/** Sends a code to those who have waited longest. Without mail the answer has the codes, for the operator to send. */
export async function inviteWaiting(
  control: Control,
  { count, ...wish }: z.infer<typeof inviteSchema>,
  by: By,
) {
  const options = { where: { state: 'waiting' }, limit: count }
  const { items } = await control.store.query(queries.waitListByState, options)
  const invited = []
  for (const { ref } of items) {
    const row = await invite(control, ref, { ...wish, by })
    if (row) invited.push(row)
  }
  return invited
}

type Wanted = Omit<z.infer<typeof inviteSchema>, 'count'> & { readonly by: By }

/** @returns undefined when somebody else has invited them meanwhile */
async function invite(control: Control, ref: Ref<WaitingDoc>, { plan, days, by }: Wanted) {
  const { store, clock, mail } = control
  const entry = await store.get(ref)
  if (!entry) return undefined
  const code = newInviteCode()
  const nowMs = clock.now()
  const wish = { plan, days, places: 1, note: 'waiting list', by: by.actor }
  const until = nowMs + days * 24 * 3_600_000
  const letter = mail.isAbsent
    ? undefined
    : await invitationWish(control, { to: entry.data.email, code, until })
  const asked: string[] = []
  const row = await store.transact(async (tx) => {
    const latest = await tx.get(ref)
    if (latest?.data.state !== 'waiting') return undefined
    const ask = letter && (await look(tx, letter, nowMs))
    const { invite: id, expiresAt } = writeInvite(tx, code, { wish, nowMs })
    // Who does not come by then may ask anew.
    tx.update(ref, { state: 'invited', at: nowMs, invite: id, ttl: new Date(expiresAt) })
    writeAct(tx, by, { action: 'invite.created', target: id, details: { plan, days, places: 1 } }, nowMs)
    asked.splice(0, 1, ...(ask ? [ask()] : []))
    return { email: latest.data.email, invite: id, expiresAt, ...(mail.isAbsent && { code }) }
  })
  await kick(control, asked)
  return row
}
