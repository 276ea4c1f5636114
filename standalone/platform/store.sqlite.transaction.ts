/**
 * The `tx` that a body of `transact` gets from store.sqlite.ts: it writes down every document and query read with
 * the versions seen, and every write wanted. Nothing reaches the database before the store validates and commits.
 */
import { fail } from '@porttunneler/shared/base/errors'
import type {
  Doc,
  Page,
  Query,
  QueryOptions,
  Ref,
  Snapshot,
  Transaction,
  Write,
} from '@porttunneler/shared/control/platform'
import { copyDoc, refKey, storeLimits } from '@porttunneler/shared/control/store-rules'

/** What the recorder needs of the store; all of it synchronous. */
export type Reader = {
  read<T extends Doc>(ref: Ref<T>): Snapshot<T> | undefined
  version(ref: Ref): string | undefined
  page<T extends Doc>(query: Query<T>, options: QueryOptions): PageRead<T>
}

/** `print` tells apart any two results of one query: ids and versions of the page and of the item after it. */
export type PageRead<T extends Doc> = { readonly page: Page<T>; readonly print: string }

export class Recorder implements Transaction {
  readonly #reader: Reader
  readonly #reads: { readonly ref: Ref; readonly version: string | undefined }[] = []
  readonly #queries: { readonly query: Query; readonly options: QueryOptions; readonly print: string }[] = []
  readonly #writes: Write[] = []
  readonly #touched = new Set<string>()
  #isOver = false

  constructor(reader: Reader) {
    this.#reader = reader
  }

  async get<T extends Doc>(ref: Ref<T>): Promise<Snapshot<T> | undefined> {
    this.#beforeRead()
    const snapshot = this.#reader.read(ref)
    this.#touch(ref)
    this.#reads.push({ ref, version: snapshot?.version })
    return snapshot
  }

  async query<T extends Doc>(query: Query<T>, options: QueryOptions): Promise<Page<T>> {
    this.#beforeRead()
    const { page, print } = this.#reader.page(query, options)
    for (const item of page.items) this.#touch(item.ref)
    this.#queries.push({ query, options: structuredClone(options), print })
    return page
  }

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

  /** Ends the recording: what the body still does with a `tx` that it leaked is refused. */
  finish(): readonly Write[] {
    this.#isOver = true
    return this.#writes
  }

  /** @throws store.changed when anything read would be read differently now */
  validate(): void {
    for (const { ref, version } of this.#reads)
      if (this.#reader.version(ref) !== version) throw fail('store.changed')
    for (const { query, options, print } of this.#queries)
      if (this.#reader.page(query, options).print !== print) throw fail('store.changed')
  }

  #beforeRead(): void {
    if (this.#isOver) throw fail('store.invalid', 'a transaction was used after its end')
    if (this.#writes.length > 0) throw fail('store.invalid', 'a transaction reads before it writes')
  }

  #write(write: Write): void {
    if (this.#isOver) throw fail('store.invalid', 'a transaction was used after its end')
    this.#touch(write.ref)
    this.#writes.push(write)
  }

  #touch(ref: Ref): void {
    this.#touched.add(refKey(ref))
    if (this.#touched.size > storeLimits.transactionDocuments)
      throw fail(
        'store.invalid',
        `a transaction touches at most ${storeLimits.transactionDocuments} documents`,
      )
  }
}
