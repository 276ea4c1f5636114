/**
 * Stores in memory for tests. Each begins as a copy of an empty one with its tables and indexes, which takes a third
 * of the time of making them, and shows the test all that it holds.
 */
import { queryTable } from '@porttunneler/shared/control/query-table'
import { openDatabase } from '../platform/store.sqlite.database.ts'
import { SqliteStore } from '../platform/store.sqlite.ts'

/** As the table has it. */
export type StoredDocument = {
  readonly collection: string
  readonly id: string
  /** When it expires; null: never. */
  readonly ttl: number | null
  /** JSON. */
  readonly body: string
}

let empty: Uint8Array | undefined

/** @returns the store, and what reads every document of it, also those that have expired */
export function openMemoryStore(): {
  readonly store: SqliteStore
  readonly documents: () => readonly StoredDocument[]
} {
  const db = openDatabase(':memory:')
  if (empty) db.deserialize(empty)
  const store = new SqliteStore(db, { queries: queryTable })
  empty ??= db.serialize()
  const documents = () =>
    db.prepare('SELECT collection, id, ttl, body FROM documents').all() as unknown as StoredDocument[]
  return { store, documents }
}
