/**
 * The `tx` that a body of `transact` gets from store.sqlite.ts: it records every document and query read, with the
 * versions seen, and every write wanted. Nothing reaches the database before the store validates and commits.
 */
import { fail } from '@porttunneler/shared/base/errors'
import type { Doc, Page, Query, QueryOptions, Ref, Snapshot } from '@porttunneler/shared/control/platform'
import { type PageRead, TransactionLog } from '@porttunneler/shared/control/transaction-log'

/** What the recorder needs of the store; all of it synchronous. */
export type Reader = {
  read<T extends Doc>(ref: Ref<T>): Snapshot<T> | undefined
  version(ref: Ref): string | undefined
  page<T extends Doc>(query: Query<T>, options: QueryOptions): PageRead<T>
}

export class Recorder extends TransactionLog {
  readonly #reader: Reader
  readonly #reads: { readonly ref: Ref; readonly version: string | undefined }[] = []
  readonly #queries: { readonly query: Query; readonly options: QueryOptions; readonly print: string }[] = []

  constructor(reader: Reader) {
    super()
    this.#reader = reader
  }

  async get<T extends Doc>(ref: Ref<T>): Promise<Snapshot<T> | undefined> {
    this.beforeRead()
    const snapshot = this.#reader.read(ref)
    this.touch(ref)
    this.#reads.push({ ref, version: snapshot?.version })
    return snapshot
  }

  async query<T extends Doc>(query: Query<T>, options: QueryOptions): Promise<Page<T>> {
    this.beforeRead()
    const { page, print } = this.#reader.page(query, options)
    for (const item of page.items) this.touch(item.ref)
    this.#queries.push({ query, options: structuredClone(options), print })
    return page
  }

  /** @throws store.changed when anything that was read would be read differently now */
  validate(): void {
    for (const { ref, version } of this.#reads)
      if (this.#reader.version(ref) !== version) throw fail('store.changed')
    for (const { query, options, print } of this.#queries)
      if (this.#reader.page(query, options).print !== print) throw fail('store.changed')
  }
}
