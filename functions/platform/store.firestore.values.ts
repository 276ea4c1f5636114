/**
 * The store's documents as Firestore stores them. Each has one more field, `_commit`: a random mark of the commit that
 * wrote it. It distinguishes our own write from another's when the answer to a commit was lost, and makes every write a
 * new version (Firestore leaves the update time alone when nothing changes).
 */
import {
  type DocumentData,
  type DocumentReference,
  type DocumentSnapshot,
  FieldPath,
  FieldValue,
  type Firestore,
  type Query as FirestoreQuery,
  Timestamp,
} from '@google-cloud/firestore'
import type { Doc, Query, QueryOptions, Ref, Snapshot, Write } from '@porttunneler/shared/control/platform'
import { refReach } from '@porttunneler/shared/control/store-rules'
import type { PageRead } from '@porttunneler/shared/control/transaction-log'

const markField = '_commit'

/** A document as read, with the mark of the commit that wrote it. */
export type Found<T extends Doc = Doc> = Snapshot<T> & { readonly mark: unknown }

/** What a write will find there, as far as it was read: a version, or nothing. */
export type Expected = { readonly version: string; readonly fields: readonly string[] } | 'missing'

export type GuardedWrite = { readonly write: Write; readonly expected?: Expected }

type Condition = { readonly lastUpdateTime: Timestamp } | { readonly exists: true } | Record<never, never>

/** How writes are added to an SDK transaction, without its overloads. */
export type Sink = {
  create(ref: DocumentReference, data: DocumentData): unknown
  set(ref: DocumentReference, data: DocumentData): unknown
  update(ref: DocumentReference, data: DocumentData, condition: Condition): unknown
  delete(ref: DocumentReference, condition: Condition): unknown
}

export function refOf(db: Firestore, ref: Ref): DocumentReference {
  return db.collection(ref.collection).doc(ref.id)
}

export function foundOf<T extends Doc>(
  ref: Ref<T>,
  snapshot: DocumentSnapshot | undefined,
): Found<T> | undefined {
  const fields = snapshot?.data()
  if (!fields || !snapshot?.updateTime) return undefined
  const { [markField]: mark, ...data } = fields
  if (data.ttl instanceof Timestamp) data.ttl = data.ttl.toDate()
  return { ref, data: data as T, version: versionOf(snapshot.updateTime), mark }
}

export function withoutMark<T extends Doc>(found: Found<T> | undefined): Snapshot<T> | undefined {
  return found && { ref: found.ref, data: found.data, version: found.version }
}

/** Adds the writes to a transaction, each guarded by what it expects to find. */
export function applyWrites(
  db: Firestore,
  sink: Sink,
  { writes, mark }: { readonly writes: readonly GuardedWrite[]; readonly mark: string },
): void {
  for (const { write, expected } of writes) {
    const ref = refOf(db, write.ref)
    const version = expected === 'missing' ? undefined : expected?.version
    const given = 'if' in write ? write.if?.version : undefined
    const seen = timeOf(given ?? version)
    const condition = seen ? { lastUpdateTime: seen } : {}
    if (write.op === 'delete') sink.delete(ref, condition)
    else if (write.op === 'update') {
      // An empty condition would create the document.
      const there = seen ? condition : { exists: true }
      sink.update(ref, { ...write.fields, [markField]: mark }, there)
    } else {
      const data = { ...write.data, [markField]: mark }
      if (write.op === 'create' || expected === 'missing') sink.create(ref, data)
      else if (expected === undefined) sink.set(ref, data)
      else sink.update(ref, { ...removed(expected.fields, data), ...data }, condition)
    }
  }
}

/** There is no set with a precondition, so this is an update that also removes fields that are gone. */
function removed(fields: readonly string[], data: DocumentData): DocumentData {
  const gone = fields.filter((field) => !(field in data))
  return Object.fromEntries(gone.map((field) => [field, FieldValue.delete()]))
}

export function queryOf(
  db: Firestore,
  query: Query,
  { where, from, to, after, limit }: QueryOptions,
): FirestoreQuery {
  const direction = query.direction === 'ascending' ? 'asc' : 'desc'
  let asked: FirestoreQuery = db.collection(query.collection)
  for (const field of query.equals) asked = asked.where(field, '==', where[field])
  if (from !== undefined) asked = asked.where(query.order, '>=', from)
  if (to !== undefined) asked = asked.where(query.order, '<=', to)
  asked = asked.orderBy(query.order, direction).orderBy(FieldPath.documentId(), direction)
  if (after) asked = asked.startAfter(...after)
  // One more than asked, to see whether there is a next page.
  return asked.limit(limit + 1)
}

export function pageOf<T extends Doc>(
  query: Query<T>,
  limit: number,
  docs: readonly DocumentSnapshot[],
): PageRead<T> {
  const found = docs.flatMap((doc) => {
    const ref = { collection: query.collection, id: doc.id, ...refReach(query) }
    return foundOf<T>(ref, doc) ?? []
  })
  const items = found.slice(0, limit).map(({ ref, data, version }) => ({ ref, data, version }))
  const last = items.at(-1)
  const next = last && ([last.data[query.order] as string | number, last.ref.id] as const)
  return {
    page: found.length > limit && next ? { items, next } : { items },
    print: found.map(({ ref, version }) => `${ref.id}:${version}`).join(' '),
  }
}

function versionOf(time: Timestamp): string {
  return `${time.seconds}.${String(time.nanoseconds).padStart(9, '0')}`
}

/** A version that no store of this kind made matches no document. */
function timeOf(version: string | undefined): Timestamp | undefined {
  if (version === undefined) return undefined
  const [, seconds, nanos] = /^(\d{1,12})\.(\d{9})$/.exec(version) ?? [undefined, '0', '0']
  return new Timestamp(Number(seconds), Number(nanos))
}
