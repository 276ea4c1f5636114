/**
 * What the `tx` of every store has in common: it records the writes of a `transact` body, and enforces the rules of
 * `Transaction`. Only implementations of Store use it.
 */
import { fail } from '../base/errors.ts'
import type { Doc, Page, Query, QueryOptions, Ref, Snapshot, Transaction, Write } from './platform.ts'
import { copyDoc, refKey, storeLimits } from './store-rules.ts'

/** `print` distinguishes any two results of one query: ids and versions of the page and of the item after it. */
export type PageRead<T extends Doc> = { readonly page: Page<T>; readonly print: string }

export abstract class TransactionLog implements Transaction {
  readonly #writes: Write[] = []
  readonly #touched = new Set<string>()
  #isOver = false

  abstract get<T extends Doc>(ref: Ref<T>): Promise<Snapshot<T> | undefined>
  abstract query<T extends Doc>(query: Query<T>, options: QueryOptions): Promise<Page<T>>

  create<T extends Doc>(ref: Ref<T>, data: T): void {
    this.#write({ op: 'create', ref, data: copyDoc(ref, data) })
  }

  set<T extends Doc>(ref: Ref<T>, data: T): void {
    this.#write({ op: 'set', ref, data: copyDoc(ref, data) })
  }

  update<T extends Doc>(ref: Ref<T>, fields: Partial<T>): void {
    this.#write({ op: 'update', ref, fields: copyDoc(ref, fields as Doc) })
  }

  delete(ref: Ref): void {
    this.#write({ op: 'delete', ref })
  }

  /** Ends the recording: if the body leaked its `tx` and uses it later, that is refused. */
  finish(): readonly Write[] {
    this.#isOver = true
    return this.#writes
  }

  /** @throws store.invalid */
  protected beforeRead(): void {
    if (this.#isOver) throw fail('store.invalid', 'a transaction was used after its end')
    if (this.#writes.length > 0) throw fail('store.invalid', 'a transaction reads before it writes')
  }

  /** Counts a document that was read or written. @throws store.invalid */
  protected touch(ref: Ref): void {
    this.#touched.add(refKey(ref))
    if (this.#touched.size > storeLimits.transactionDocuments)
      throw fail(
        'store.invalid',
        `a transaction touches at most ${storeLimits.transactionDocuments} documents`,
      )
  }

  #write(write: Write): void {
    if (this.#isOver) throw fail('store.invalid', 'a transaction was used after its end')
    this.touch(write.ref)
    this.#writes.push(write)
  }
}
