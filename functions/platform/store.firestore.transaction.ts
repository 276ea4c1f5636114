/**
 * The `tx` that a body of `transact` gets from store.firestore.ts. The body runs outside any Firestore transaction, so
 * that no lock is held meanwhile: this records what it read and what it wants to write. Documents both read and written
 * are guarded by their version at the commit; everything else that was read is read again inside a short transaction,
 * which also prevents phantoms.
 */
import type { Firestore, Transaction as FirestoreTransaction } from '@google-cloud/firestore'
import { fail } from '@porttunneler/shared/base/errors'
import type {
  Doc,
  Page,
  Query,
  QueryOptions,
  Ref,
  Snapshot,
  Write,
} from '@porttunneler/shared/control/platform'
import { checkWrites, refKey } from '@porttunneler/shared/control/store-rules'
import { type PageRead, TransactionLog } from '@porttunneler/shared/control/transaction-log'
import { isAsExpected } from './store.firestore.commit.ts'
import {
  type Expected,
  type Found,
  foundOf,
  type GuardedWrite,
  pageOf,
  queryOf,
  refOf,
  withoutMark,
} from './store.firestore.values.ts'

export type Reader = {
  read<T extends Doc>(ref: Ref<T>): Promise<Found<T> | undefined>
  page<T extends Doc>(query: Query<T>, options: QueryOptions): Promise<PageRead<T>>
}

type DocumentRead = { readonly ref: Ref; readonly expected: Expected }
type QueryRead = { readonly query: Query; readonly options: QueryOptions; readonly print: string }

/** What to commit, and what must be read again because no write guards it. */
export type Plan = {
  readonly writes: readonly GuardedWrite[]
  readonly unguarded: Reads
}

export type Reads = { readonly documents: readonly DocumentRead[]; readonly queries: readonly QueryRead[] }

export class Recorder extends TransactionLog {
  readonly #reader: Reader
  readonly #documents: DocumentRead[] = []
  readonly #queries: QueryRead[] = []

  constructor(reader: Reader) {
    super()
    this.#reader = reader
  }

  async get<T extends Doc>(ref: Ref<T>): Promise<Snapshot<T> | undefined> {
    this.beforeRead()
    const found = await this.#reader.read(ref)
    this.touch(ref)
    const expected = found ? { version: found.version, fields: Object.keys(found.data) } : 'missing'
    this.#documents.push({ ref, expected })
    return withoutMark(found)
  }

  async query<T extends Doc>(query: Query<T>, options: QueryOptions): Promise<Page<T>> {
    this.beforeRead()
    const asked = structuredClone(options)
    const { page, print } = await this.#reader.page(query, asked)
    for (const item of page.items) this.touch(item.ref)
    this.#queries.push({ query, options: asked, print })
    return page
  }

  get reads(): Reads {
    return { documents: this.#documents, queries: this.#queries }
  }

  /** Ends the recording. @throws store.invalid; store.exists and store.missing if the reads alone rule a write out */
  plan(): Plan {
    const wanted = this.finish()
    checkWrites(wanted)
    const known = new Map(this.#documents.map(({ ref, expected }) => [refKey(ref), expected]))
    const writes = wanted.flatMap((write) => guarded(write, known.get(refKey(write.ref))))
    const covered = new Set(writes.flatMap(({ write, expected }) => (expected ? refKey(write.ref) : [])))
    const documents = this.#documents.filter(({ ref }) => !covered.has(refKey(ref)))
    return { writes, unguarded: { documents, queries: this.#queries } }
  }
}

function guarded(write: Write, expected: Expected | undefined): readonly GuardedWrite[] {
  if (expected === undefined) return [{ write }]
  if (expected !== 'missing') {
    if (write.op === 'create') throw fail('store.exists', undefined, { fields: write.ref })
    return [{ write, expected }]
  }
  if (write.op === 'update') throw fail('store.missing', undefined, { fields: write.ref })
  // Nothing to delete, and nothing that could guard it, so the read is validated instead.
  return write.op === 'delete' ? [] : [{ write, expected }]
}

/** Reads again inside `tx`. @throws store.changed when anything has changed */
export async function validate(
  db: Firestore,
  { documents, queries }: Reads,
  tx: FirestoreTransaction,
): Promise<void> {
  // Firestore's own transactions also read in parallel; the order does not affect the snapshot.
  const [snapshots, pages] = await Promise.all([
    documents.length === 0 ? [] : tx.getAll(...documents.map(({ ref }) => refOf(db, ref))),
    Promise.all(queries.map(({ query, options }) => tx.get(queryOf(db, query, options)))),
  ])
  const isSame =
    documents.every(({ ref, expected }, at) => isAsExpected(expected, foundOf(ref, snapshots[at]))) &&
    queries.every(
      ({ query, options, print }, at) => pageOf(query, options.limit, pages[at]?.docs ?? []).print === print,
    )
  if (!isSame) throw fail('store.changed')
}
