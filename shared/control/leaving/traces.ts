/**
 * What a person has left in accounts of others: keys, feedback, invitations to their address, notes. Each is deleted
 * by itself and the whole can be repeated. The audit logs of those accounts keep what was done there, under an id that
 * leads to nobody any more.
 */

import type { Control } from '../control.ts'
import { withCounts } from '../counting.ts'
import { type KeyDoc, keys } from '../documents.ts'
import { all } from '../own-data/parts.ts'
import type { Doc, Forgotten, Query, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { lookToTake } from '../quota.ts'

const atOnce = 100

export async function eraseTraces(
  control: Control,
  { id, email }: Pick<Forgotten, 'id' | 'email'>,
): Promise<void> {
  for await (const key of all(control, queries.keysByUser, { where: { user: id } }))
    await withCounts(control, () => eraseKey(control, key))
  await eraseFound(control, queries.feedbackByActor, { actor: id })
  await eraseFound(control, queries.notesAbout, { about: id })
  await eraseFound(control, queries.invitationsByAddress, { email })
}

/** A valid one holds a place of the account's plan. */
function eraseKey({ store }: Control, { ref, data: { account } }: Snapshot<KeyDoc>): Promise<void> {
  return store.transact(async (tx) => {
    const latest = await tx.get(keys.ref(ref.id))
    if (!latest) return
    const take = latest.data.revokedAt === 0 ? await lookToTake(tx, account) : undefined
    tx.delete(latest.ref)
    take?.({ keys: -1 })
  })
}

async function eraseFound<T extends Doc>(
  { store }: Control,
  query: Query<T>,
  where: QueryOptions['where'],
): Promise<void> {
  for (;;) {
    const { items } = await store.query(query, { where, limit: atOnce })
    if (items.length === 0) return
    await store.batch(items.map(({ ref }) => ({ op: 'delete', ref })))
  }
}
