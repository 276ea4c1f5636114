/**
 * Store on node:sqlite, in this process. Every write is one synchronous BEGIN IMMEDIATE .. COMMIT: no SQL transaction
 * is ever open across an await, or another write on the same connection would become part of it. So `transact` runs its
 * async body outside SQL, remembers what it read, and validates that at the commit.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep, systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type {
  Doc,
  Page,
  Precondition,
  Query,
  QueryOptions,
  Ref,
  Snapshot,
  Store,
  Transaction,
  Write,
} from '@porttunneler/shared/control/platform'
import type { QueryTable } from '@porttunneler/shared/control/queries'
import {
  checkDoc,
  checkQuery,
  checkRef,
  checkTable,
  checkWrites,
  refReach,
  storeLimits,
} from '@porttunneler/shared/control/store-rules'
import type { PageRead } from '@porttunneler/shared/control/transaction-log'
import { inTransaction, openDatabase, storeFailure, syncIndexes } from './store.sqlite.database.ts'
import { querySql } from './store.sqlite.query.ts'
import { type Reader, Recorder } from './store.sqlite.transaction.ts'

export type SqliteStoreOptions = {
  readonly queries: QueryTable
  /** Paces the retries of `change` and `transact`; with a clock that stands still, losers of a race wait for ever. */
  readonly clock?: Clock
  readonly random?: () => number
}

/** Losers of a race spread over a few ms, in a long one over 100 ms. */
const retryShape: BackoffShape = { fastTries: 0, fastMs: 0, minMs: 4, maxMs: 100, jitter: 1 }

/** How many expired documents one purge removes, so that it never holds up a request for long. */
export const purgeSlice = 1_000

type Row = {
  readonly id: string
  readonly version: number
  readonly ttl: number | null
  readonly body: string
}

/**
 * @param path the file, made with mode 0600 if it is missing, or `:memory:`
 * @throws store.read_only, store.corrupt, store.newer, store.full; store.invalid for a bad query table
 */
export function openSqliteStore(path: string, options: SqliteStoreOptions): SqliteStore {
  checkTable(options.queries)
  return new SqliteStore(openDatabase(path), options)
}

export class SqliteStore implements Store {
  readonly #db: DatabaseSync
  readonly #declared: ReadonlyMap<string, Query>
  readonly #statements = new Map<string, StatementSync>()
  readonly #clock: Clock
  readonly #random: () => number
  readonly #reader: Reader

  /** From now on this owns `db`, which openDatabase() made. */
  constructor(db: DatabaseSync, { queries, clock = systemClock, random = Math.random }: SqliteStoreOptions) {
    this.#db = db
    this.#clock = clock
    this.#random = random
    this.#declared = checkTable(queries)
    this.#reader = {
      read: (ref) => this.#read(ref),
      version: (ref) => versionOf(this.#row(ref)),
      page: (query, asked) => this.#page(query, asked),
    }
    guard(() => syncIndexes(db, queries))
  }

  async get<T extends Doc>(ref: Ref<T>): Promise<Snapshot<T> | undefined> {
    return guard(() => this.#read(ref))
  }

  async getAll<T extends Doc>(refs: readonly Ref<T>[]): Promise<readonly (Snapshot<T> | undefined)[]> {
    return guard(() => refs.map((ref) => this.#read(ref)))
  }

  async create<T extends Doc>(ref: Ref<T>, data: T): Promise<void> {
    this.#commit([{ op: 'create', ref, data }])
  }

  async set<T extends Doc>(ref: Ref<T>, data: T): Promise<void> {
    this.#commit([{ op: 'set', ref, data }])
  }

  async update<T extends Doc>(ref: Ref<T>, fields: Partial<T>, condition?: Precondition): Promise<void> {
    this.#commit([{ op: 'update', ref, fields: fields as Doc, ...(condition && { if: condition }) }])
  }

  async delete(ref: Ref, condition?: Precondition): Promise<void> {
    this.#commit([{ op: 'delete', ref, ...(condition && { if: condition }) }])
  }

  async batch(writes: readonly Write[]): Promise<void> {
    this.#commit(writes)
  }

  async query<T extends Doc>(query: Query<T>, options: QueryOptions): Promise<Page<T>> {
    return guard(() => this.#page(query, options).page)
  }

  change<T extends Doc>(
    ref: Ref<T>,
    fn: (current: T | undefined) => T | 'keep' | 'delete',
    { deadlineMs }: { readonly deadlineMs?: number } = {},
  ): Promise<T | undefined> {
    return this.#untilUncontended(deadlineMs, async () => {
      const before = guard(() => this.#read(ref))
      const next = fn(before?.data)
      const isUnchanged = () => {
        if (versionOf(this.#row(ref)) !== before?.version) throw fail('store.changed')
      }
      if (next === 'delete') this.#commit([{ op: 'delete', ref }], isUnchanged)
      else if (next !== 'keep') this.#commit([{ op: 'set', ref, data: next }], isUnchanged)
      return guard(() => this.#read(ref))?.data
    })
  }

  transact<T>(
    fn: (tx: Transaction) => Promise<T>,
    { deadlineMs }: { readonly deadlineMs?: number } = {},
  ): Promise<T> {
    return this.#untilUncontended(deadlineMs, async () => {
      const recorder = new Recorder(this.#reader)
      const validate = () => recorder.validate()
      try {
        const result = await fn(recorder)
        this.#commit(recorder.finish(), validate)
        return result
      } catch (error) {
        // Do not believe a result based on documents that changed meanwhile: this throws store.changed.
        this.#commit([], validate)
        throw error
      } finally {
        recorder.finish()
      }
    })
  }

  /**
   * Removes documents whose `ttl` is past, at most `purgeSlice` of them; call again while it returns that many.
   * @returns how many were removed, by collection
   */
  async purgeExpired(nowMs: number): Promise<Readonly<Record<string, number>>> {
    const sql = `DELETE FROM documents WHERE (collection, id) IN
      (SELECT collection, id FROM documents WHERE ttl <= ? ORDER BY ttl LIMIT ${purgeSlice}) RETURNING collection`
    const counts: Record<string, number> = {}
    for (const { collection } of guard(() => this.#statement(sql).all(nowMs)))
      counts[String(collection)] = (counts[String(collection)] ?? 0) + 1
    return counts
  }

  async close(): Promise<void> {
    if (!this.#db.isOpen) return
    this.#statements.clear()
    this.#db.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #untilUncontended<T>(
    deadlineMs: number = storeLimits.deadlineMs,
    attempt: () => Promise<T>,
  ): Promise<T> {
    const end = this.#clock.monotonic() + deadlineMs
    for (let tries = 0; ; tries++) {
      try {
        return await attempt()
      } catch (error) {
        if (!isFailure(error, 'store.changed') && !isFailure(error, 'store.contention')) throw error
        const pauseMs = backoffMs(retryShape, tries, this.#random)
        if (this.#clock.monotonic() + pauseMs >= end)
          throw fail('store.contention', undefined, { cause: error })
        await sleep(this.#clock, pauseMs)
      }
    }
  }

  #commit(writes: readonly Write[], validate?: () => void): void {
    checkWrites(writes)
    guard(() =>
      inTransaction(this.#db, () => {
        validate?.()
        if (writes.length === 0) return
        const commit = this.#statement('UPDATE commits SET last = last + 1 RETURNING last').get()
        for (const write of writes) this.#apply(write, Number(commit?.last))
      }),
    )
  }

  #apply(write: Write, version: number): void {
    const { op, ref } = write
    if (op === 'create') {
      const { changes } = this.#put('INSERT OR IGNORE', ref, write.data, version)
      if (changes === 0) throw fail('store.exists', undefined, { fields: ref })
    } else if (op === 'set') this.#put('INSERT OR REPLACE', ref, write.data, version)
    else if (op === 'update') {
      const before = this.#row(ref)
      if (!before) throw fail('store.missing', undefined, { fields: ref })
      checkPrecondition(write, before)
      const merged = { ...docOf(before), ...write.fields }
      checkDoc(ref, merged)
      this.#put('INSERT OR REPLACE', ref, merged, version)
    } else {
      checkPrecondition(write, this.#row(ref))
      this.#statement('DELETE FROM documents WHERE collection = ? AND id = ?').run(ref.collection, ref.id)
    }
  }

  #put(verb: 'INSERT OR IGNORE' | 'INSERT OR REPLACE', ref: Ref, data: Doc, version: number) {
    const { ttl, ...body } = data
    return this.#statement(
      `${verb} INTO documents (collection, id, version, ttl, body) VALUES (?, ?, ?, ?, ?)`,
    ).run(ref.collection, ref.id, version, ttl instanceof Date ? ttl.getTime() : null, JSON.stringify(body))
  }

  #row(ref: Ref): Row | undefined {
    checkRef(ref)
    const sql = 'SELECT id, version, ttl, body FROM documents WHERE collection = ? AND id = ?'
    return this.#statement(sql).get(ref.collection, ref.id) as Row | undefined
  }

  #read<T extends Doc>(ref: Ref<T>): Snapshot<T> | undefined {
    const row = this.#row(ref)
    return row && { ref, data: docOf(row) as T, version: String(row.version) }
  }

  #page<T extends Doc>(query: Query<T>, options: QueryOptions): PageRead<T> {
    checkQuery(this.#declared, query, options)
    // One more than asked, to see whether there is a next page.
    const { sql, values } = querySql(query, { ...options, limit: options.limit + 1 })
    const rows = this.#statement(sql).all(...(values as SQLInputValue[])) as (Row & {
      place: string | number
    })[]
    const items = rows.slice(0, options.limit).map((row) => ({
      ref: { collection: query.collection, id: row.id, ...refReach(query) },
      data: docOf(row) as T,
      version: String(row.version),
    }))
    const last = rows[options.limit - 1]
    const page =
      rows.length > options.limit && last ? { items, next: [last.place, last.id] as const } : { items }
    return { page, print: rows.map((row) => `${row.id}:${row.version}`).join(' ') }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known) return known
    const made = this.#db.prepare(sql)
    this.#statements.set(sql, made)
    return made
  }
}

function docOf(row: Row): Doc {
  const body = JSON.parse(row.body) as Doc
  return row.ttl === null ? body : { ...body, ttl: new Date(row.ttl) }
}

function checkPrecondition(
  write: { readonly ref: Ref; readonly if?: Precondition },
  row: Row | undefined,
): void {
  if (write.if && write.if.version !== versionOf(row))
    throw fail('store.changed', undefined, { fields: write.ref })
}

function versionOf(row: Row | undefined): string | undefined {
  return row && String(row.version)
}

/** Runs `fn` and turns SQLite's errors into failures with a code. */
function guard<T>(fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    throw storeFailure(error)
  }
}
