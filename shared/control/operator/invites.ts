/** Invite codes, while accounts are by invitation: make them, see who came by them, withdraw them. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { accounts } from '../documents.ts'
import { type InviteDoc, invitePlacesMax, newInviteCode, writeInvite } from '../invites.ts'
import { planNameSchema } from '../money/catalogue-schema.ts'
import { planIn } from '../money/grants.ts'
import type { Page, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type By, declareAct, writeAct } from './act.ts'

export const daysSchema = z.int().min(1).max(365).default(30)
const createSchema = z.strictObject({
  places: z.int().min(1).max(invitePlacesMax).default(1),
  days: daysSchema,
  plan: planNameSchema.default('free'),
  note: z.string().trim().max(200).default(''),
})
const idSchema = z.strictObject({ id: z.string().max(64) })

export const inviteActs = {
  'invites.create': declareAct(createSchema, ({ control }, asked, by) => createInvite(control, asked, by)),
  'invites.list': declareAct(
    z.strictObject({ limit: z.int().min(1).max(500).default(100) }),
    async ({ control }, { limit }) => {
      const { items } = await control.store.query(queries.invitesByTime, { where: {}, limit })
      return items.map(({ data }) => describe(data, control.clock.now()))
    },
  ),
  'invites.show': declareAct(idSchema, async ({ control }, { id }) => {
    const { data } = await find(control, id)
    const came = await control.store.getAll(data.accounts.map((account) => accounts.ref(account)))
    const people = came.flatMap((one) =>
      one
        ? [{ id: one.ref.id, name: one.data.name, plan: one.data.plan, createdAt: one.data.createdAt }]
        : [],
    )
    return { ...describe(data, control.clock.now()), by: data.by, accounts: people }
  }),
  'invites.revoke': declareAct(idSchema, async ({ control }, { id }, by) => {
    await revokeInvite(control, id, by)
    return describe((await find(control, id)).data, control.clock.now())
  }),
}

/** The answer has the code, only this once. @throws plan.unknown */
export async function createInvite(control: Control, asked: z.infer<typeof createSchema>, by: By) {
  planIn(await control.catalogues.newest(), asked.plan)
  const wish = { ...asked, by: by.actor }
  const code = newInviteCode()
  const made = await control.store.transact(async (tx) => {
    const nowMs = control.clock.now()
    const written = writeInvite(tx, code, { wish, nowMs })
    const { places, days, plan } = wish
    const details = { places, days, plan }
    writeAct(tx, by, { action: 'invite.created', target: written.invite, details }, nowMs)
    return written
  })
  return { id: made.invite, code, places: wish.places, plan: wish.plan, expiresAt: made.expiresAt }
}

/** The newest first. */
export function pageInvites(
  { store }: Pick<Control, 'store'>,
  page: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<InviteDoc>> {
  return store.query(queries.invitesByTime, { where: {}, ...page })
}

export function describeInvite(doc: InviteDoc, nowMs: number) {
  const { invite, plan, places, accounts: came, note, createdAt, expiresAt, revokedAt } = doc
  const state = revokedAt > 0 ? 'revoked' : expiresAt <= nowMs ? 'expired' : 'open'
  return { id: invite, state, taken: came.length, places, plan, note, createdAt, expiresAt } as const
}

/** Accounts that came by it stay. @throws operator.missing */
export async function revokeInvite(control: Control, id: string, by: By): Promise<void> {
  const { ref } = await find(control, id)
  const nowMs = control.clock.now()
  await control.store.transact(async (tx) => {
    const latest = await tx.get(ref)
    if (latest?.data.revokedAt !== 0) return
    tx.update(ref, { revokedAt: nowMs })
    writeAct(tx, by, { action: 'invite.revoked', target: id }, nowMs)
  })
}

/** @throws operator.missing */
async function find({ store }: Control, id: string): Promise<Snapshot<InviteDoc>> {
  const { items } = await store.query(queries.invitesById, { where: {}, from: id, to: id, limit: 1 })
  const [found] = items
  if (!found) throw fail('operator.missing', `There is no invite "${id}".`)
  return found
}

function describe(doc: InviteDoc, nowMs: number) {
  const { places, taken, ...others } = describeInvite(doc, nowMs)
  return { ...others, taken: `${taken} of ${places}` }
}
