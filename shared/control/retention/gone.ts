/**
 * Counts what is deleted because its time is over or somebody is erased, by month and collection. Erasures count in
 * the transaction that deletes. The standalone server counts what it purges; Firestore deletes by itself and tells
 * Cloud Monitoring alone (`firestore.googleapis.com/document/ttl_deletion_count`).
 */
import type { Control } from '../control.ts'
import type { Ref, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type GoneMonthDoc, goneMonths } from './retention-documents.ts'

const keptMonths = 36

export type Counts = { readonly [collection: string]: number }

/** Reads; call it before the first write of `tx`, and what it returns with the counts. */
export async function lookToCountGone(tx: Transaction, nowMs: number): Promise<(counts: Counts) => void> {
  const ref = refOf(nowMs)
  const before = (await tx.get(ref))?.data
  return (counts) => tx.set(ref, withCounts(before, counts, nowMs))
}

/** For what a store has purged by itself. */
export async function countGone(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  counts: Counts,
): Promise<void> {
  if (Object.keys(counts).length === 0) return
  const nowMs = clock.now()
  await store.change(refOf(nowMs), (current) => withCounts(current, counts, nowMs))
}

/** The newest month first. */
export async function readGone({ store }: Pick<Control, 'store'>) {
  const { items } = await store.query(queries.goneMonthsByTime, { where: {}, limit: keptMonths })
  return items.map(({ ref: { id }, data: { counts } }) => ({
    month: id,
    collections: Object.entries(counts)
      .map(([collection, count]) => ({ collection, count }))
      .toSorted((a, b) => b.count - a.count),
  }))
}

function refOf(nowMs: number): Ref<GoneMonthDoc> {
  return goneMonths.ref(new Date(nowMs).toISOString().slice(0, 7))
}

function withCounts(before: GoneMonthDoc | undefined, more: Counts, nowMs: number): GoneMonthDoc {
  const date = new Date(nowMs)
  const counts: Record<string, number> = { ...before?.counts }
  for (const [name, count] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + count
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return { month: Date.UTC(year, month), counts, ttl: new Date(Date.UTC(year, month + keptMonths)) }
}
