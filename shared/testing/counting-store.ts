/**
 * A store that counts what Firestore would bill: each document read, at least one read for a query, each write, each
 * delete. Reads of a transaction that none of its writes guards count twice, as the store on Firestore reads them
 * again.
 */
import type { Doc, Page, Query, QueryOptions, Ref, Store, Transaction, Write } from '../control/platform.ts'
import { refKey } from '../control/store-rules.ts'

export type Counts = { reads: number; writes: number; deletes: number }

export type CountingStore = { readonly store: Store; readonly counts: Counts }

export function countingStore(inner: Store): CountingStore {
  const counts: Counts = { reads: 0, writes: 0, deletes: 0 }
  const countWrites = (writes: readonly Pick<Write, 'op'>[]) => {
    for (const { op } of writes) counts[op === 'delete' ? 'deletes' : 'writes']++
  }
  const store: Store = {
    get(ref) {
      counts.reads++
      return inner.get(ref)
    },
    getAll(refs) {
      counts.reads += refs.length
      return inner.getAll(refs)
    },
    async query(query, options) {
      const page = await inner.query(query, options)
      counts.reads += billed(page)
      return page
    },
    create(ref, data) {
      countWrites([{ op: 'create' }])
      return inner.create(ref, data)
    },
    set(ref, data) {
      countWrites([{ op: 'set' }])
      return inner.set(ref, data)
    },
    update(ref, fields, condition) {
      countWrites([{ op: 'update' }])
      return inner.update(ref, fields, condition)
    },
    delete(ref, condition) {
      countWrites([{ op: 'delete' }])
      return inner.delete(ref, condition)
    },
    batch(writes) {
      countWrites(writes)
      return inner.batch(writes)
    },
    change(ref, fn, options) {
      const counted = (current: Parameters<typeof fn>[0]) => {
        counts.reads++
        const next = fn(current)
        if (next === 'delete') countWrites([{ op: 'delete' }])
        else if (next !== 'keep') countWrites([{ op: 'set' }])
        return next
      }
      return inner.change(ref, counted, options)
    },
    transact: (fn, options) =>
      inner.transact(async (tx) => {
        const counted = new CountedTransaction(tx)
        try {
          return await fn(counted)
        } finally {
          counts.reads += counted.billedReads
          countWrites(counted.writes)
        }
      }, options),
    close: () => inner.close(),
  }
  return { store, counts }
}

class CountedTransaction implements Transaction {
  readonly #tx: Transaction
  readonly #documents: Ref[] = []
  readonly #pages: number[] = []
  readonly writes: { readonly op: Write['op']; readonly ref: Ref }[] = []

  constructor(tx: Transaction) {
    this.#tx = tx
  }

  get billedReads(): number {
    const written = new Set(this.writes.map(({ ref }) => refKey(ref)))
    const queried = this.#pages.reduce((sum, reads) => sum + reads, 0)
    const once = this.#documents.length + queried
    // A single read is consistent by itself when nothing is written.
    if (written.size === 0) return this.#documents.length + this.#pages.length < 2 ? once : 2 * once
    return once + queried + this.#documents.filter((ref) => !written.has(refKey(ref))).length
  }

  get<T extends Doc>(ref: Ref<T>) {
    this.#documents.push(ref)
    return this.#tx.get(ref)
  }

  async query<T extends Doc>(query: Query<T>, options: QueryOptions) {
    const page = await this.#tx.query(query, options)
    this.#pages.push(billed(page))
    return page
  }

  create<T extends Doc>(ref: Ref<T>, data: T): void {
    this.writes.push({ op: 'create', ref })
    this.#tx.create(ref, data)
  }

  set<T extends Doc>(ref: Ref<T>, data: T): void {
    this.writes.push({ op: 'set', ref })
    this.#tx.set(ref, data)
  }

  update<T extends Doc>(ref: Ref<T>, fields: Partial<T>): void {
    this.writes.push({ op: 'update', ref })
    this.#tx.update(ref, fields)
  }

  delete(ref: Ref): void {
    this.writes.push({ op: 'delete', ref })
    this.#tx.delete(ref)
  }
}

/** A page is read with one more item, which shows whether there is a next page. */
function billed<T extends Doc>({ items, next }: Page<T>): number {
  return Math.max(1, items.length + (next ? 1 : 0))
}
