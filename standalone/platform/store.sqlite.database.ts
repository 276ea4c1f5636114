/**
 * Opens the database file of store.sqlite.ts: pragmas, migrations, indexes from the declared queries, and what SQLite's
 * own errors mean. One table holds all documents: `(collection, id)` is the key, the body is JSON, and the one Date
 * field `ttl` is a column so that a purge finds it.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { type ErrorKey, fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Query } from '@porttunneler/shared/control/platform'

/** Step n brings user_version from n to n + 1. Steps are never edited, only added. */
const migrations = [
  `CREATE TABLE documents (
     collection TEXT NOT NULL,
     id TEXT NOT NULL,
     version INTEGER NOT NULL,
     ttl INTEGER,
     body TEXT NOT NULL,
     PRIMARY KEY (collection, id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX documents_ttl ON documents (ttl) WHERE ttl IS NOT NULL;
   -- One row: the number of the last commit. A version is a commit's number, so a document deleted and made anew
   -- never shows a version that it had before.
   CREATE TABLE commits (last INTEGER NOT NULL) STRICT;
   INSERT INTO commits VALUES (0);`,
]

/** How long a writer waits for another process (a backup, an operator's shell). This process is blocked meanwhile. */
const busyMs = 1_000

/** @throws store.read_only, store.corrupt, store.newer, store.full, store.unavailable, each naming the file */
export function openDatabase(path: string): DatabaseSync {
  try {
    // The file holds wrapped keys and password hashes; SQLite gives -wal and -shm the mode of the main file.
    if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600))
    const db = new DatabaseSync(path, { timeout: busyMs })
    try {
      db.exec('PRAGMA journal_mode = WAL')
      // If a power cut lost an acknowledged lease, a second tunnel could get its endpoint.
      db.exec('PRAGMA synchronous = FULL')
      migrate(db)
      return db
    } catch (error) {
      db.close()
      throw error
    }
  } catch (cause) {
    const { key, detail } = storeFailure(cause)
    throw fail(key, `${path}: ${detail}`, { fields: { path }, cause })
  }
}

function migrate(db: DatabaseSync): void {
  const found = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  if (found > migrations.length)
    throw fail('store.newer', `the format is ${found}, this release knows up to ${migrations.length}`)
  for (const [step, sql] of migrations.entries()) {
    if (step < found) continue
    inTransaction(db, () => db.exec(`${sql}; PRAGMA user_version = ${step + 1}`))
  }
}

/** Makes missing indexes and drops those no longer declared; an index's name has a hash of its definition. */
export function syncIndexes(db: DatabaseSync, queries: Iterable<Query>): void {
  const wanted = new Map([...queries].map((query) => [indexName(query), indexSql(query)]))
  const rows = db.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'query\\_%' ESCAPE '\\'",
  )
  const present = new Set(rows.all().map((row) => String(row.name)))
  inTransaction(db, () => {
    for (const name of present) if (!wanted.has(name)) db.exec(`DROP INDEX ${name}`)
    for (const [name, sql] of wanted) if (!present.has(name)) db.exec(sql.replace('?', name))
  })
}

const indexNames = new WeakMap<Query, string>()

export function indexName(query: Query): string {
  const known = indexNames.get(query)
  if (known) return known
  const hash = createHash('sha256').update(indexSql(query)).digest('hex')
  const name = `query_${query.name}_${hash.slice(0, 8)}`
  indexNames.set(query, name)
  return name
}

function indexSql({ collection, equals, order }: Query): string {
  const columns = [...[...equals, order].map(fieldSql), 'id'].join(', ')
  return `CREATE INDEX ? ON documents (${columns}) WHERE collection = '${collection}'`
}

/** The expression of a top-level field; index and query must spell it the same for SQLite to match them. */
export function fieldSql(field: string): string {
  return `body ->> '$.${field}'`
}

/** Runs `fn`, which must be synchronous, between BEGIN IMMEDIATE and COMMIT. */
export function inTransaction<T>(db: DatabaseSync, fn: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = fn()
    db.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk may already have rolled it back.
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** SQLite's primary result codes (sqlite.org/rescode.html) that an operator can act on. */
const keyByResult: Readonly<Record<number, ErrorKey>> = {
  5: 'store.contention', // BUSY: another process writes
  6: 'store.contention', // LOCKED
  8: 'store.read_only',
  11: 'store.corrupt',
  13: 'store.full',
  14: 'store.read_only', // CANTOPEN
  26: 'store.corrupt', // NOTADB
}

const keyByErrno: Readonly<Record<string, ErrorKey>> = {
  EACCES: 'store.read_only',
  EPERM: 'store.read_only',
  EROFS: 'store.read_only',
  ENOENT: 'store.read_only',
  ENOTDIR: 'store.read_only',
  EISDIR: 'store.read_only',
  ENOSPC: 'store.full',
  EDQUOT: 'store.full',
}

/** What an error of SQLite or the file system means to the caller. Failures with a code pass unchanged. */
export function storeFailure(error: unknown): PortTunnelerError {
  if (isFailure(error)) return error
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  const key = typeof errcode === 'number' ? keyByResult[errcode & 0xff] : keyByErrno[String(code)]
  return fail(key ?? 'store.unavailable', undefined, { cause: error })
}
