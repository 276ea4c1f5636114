/**
 * Store on Firestore. Everything is optimistic: what is read has a version that the write then requires, so no
 * Firestore lock is held while our code runs (its own transactions were 60 times slower under contention, and one that
 * waits for itself waits until its lock times out). Every call has a deadline and fails with a code.
 */
import { Firestore } from '@google-cloud/firestore'
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
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
  checkQuery,
  checkRef,
  checkTable,
  checkWrites,
  copyDoc,
  refKey,
  storeLimits,
} from '@porttunneler/shared/control/store-rules'
import type { PageRead } from '@porttunneler/shared/control/transaction-log'
import {
  type CommitOptions,
  type CommitOrder,
  commitOnce,
  readDocuments,
  withDeadline,
} from './store.firestore.commit.ts'
import { storeFailure } from './store.firestore.failures.ts'
import { GatheredReads } from './store.firestore.reads.ts'
import { type Reader, type Reads, Recorder, validate } from './store.firestore.transaction.ts'
import { type GuardedWrite, pageOf, queryOf, withoutMark } from './store.firestore.values.ts'

export type FirestoreStoreOptions = {
  readonly projectId: string
  /** Its name in the project; without one the default database. */
  readonly database?: string
  readonly queries: QueryTable
  /** Paces retries and deadlines. */
  readonly clock: Clock
  readonly random: () => number
  /** `host:port`; without it FIRESTORE_EMULATOR_HOST is used, and without that Google. */
  readonly emulatorHost?: string
  /** For one read or commit; after it the outcome is store.unavailable. */
  readonly callDeadlineMs?: number
}

type Deadline = { readonly deadlineMs?: number }

/** Losers of a race wait about as long as a commit takes, in a long race up to half a second. */
const retryShape: BackoffShape = { fastTries: 0, fastMs: 0, minMs: 20, maxMs: 500, jitter: 1 }

/** Ten times what a call takes on a bad day, and within a person's patience. */
const callDeadlineMs = 8_000

/** We send a commit again, because we know whether that is safe; the client itself must not. */
const once = { timeout_millis: callDeadlineMs, retry_codes_name: 'none', retry_params_name: 'default' }
const clientConfig = {
  interfaces: { 'google.firestore.v1.Firestore': { retry_codes: { none: [] }, methods: { Commit: once } } },
}

/** Dials again soon after an outage; the default waits up to two minutes. */
const grpcOptions = { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 5_000 }

/** Calls nobody yet. @throws store.invalid for a bad query table */
export function openFirestoreStore(options: FirestoreStoreOptions): Store {
  return new FirestoreStore(options)
}

class FirestoreStore implements Store {
  readonly #db: Firestore
  readonly #declared: ReadonlyMap<string, Query>
  readonly #options: CommitOptions
  readonly #callDeadlineMs: number
  readonly #reader: Reader
  /** The last `change` of each document: they take turns within this process, because racing oneself is a waste. */
  readonly #turns = new Map<string, Promise<void>>()

  constructor({ projectId, database, queries, clock, random, emulatorHost, ...rest }: FirestoreStoreOptions) {
    this.#declared = checkTable(queries)
    const emulator = emulatorHost === undefined ? {} : { host: emulatorHost, ssl: false }
    const named = database === undefined ? {} : { databaseId: database }
    this.#db = new Firestore({ projectId, ...named, clientConfig, grpcOptions, ...emulator })
    this.#options = { db: this.#db, clock, random, pending: new Set() }
    this.#callDeadlineMs = rest.callDeadlineMs ?? callDeadlineMs
    const reads = new GatheredReads((refs) => this.#read(refs))
    this.#reader = {
      read: (ref) => reads.read(ref),
      page: (query, asked) => this.#page(query, asked),
    }
  }

  async get<T extends Doc>(ref: Ref<T>): Promise<Snapshot<T> | undefined> {
    return (await this.getAll([ref]))[0]
  }

  async getAll<T extends Doc>(refs: readonly Ref<T>[]): Promise<readonly (Snapshot<T> | undefined)[]> {
    return (await this.#read(refs)).map(withoutMark)
  }

  create<T extends Doc>(ref: Ref<T>, data: T): Promise<void> {
    return this.batch([{ op: 'create', ref, data }])
  }

  set<T extends Doc>(ref: Ref<T>, data: T): Promise<void> {
    return this.batch([{ op: 'set', ref, data }])
  }

  update<T extends Doc>(ref: Ref<T>, fields: Partial<T>, condition?: Precondition): Promise<void> {
    return this.batch([{ op: 'update', ref, fields: fields as Doc, ...(condition && { if: condition }) }])
  }

  delete(ref: Ref, condition?: Precondition): Promise<void> {
    return this.batch([{ op: 'delete', ref, ...(condition && { if: condition }) }])
  }

  async batch(writes: readonly Write[]): Promise<void> {
    checkWrites(writes)
    if (writes.length === 0) return
    // The SDK encodes later, and a caller may change its objects at once.
    const copies = writes.map((write) => ({ write: structuredClone(write) }))
    await commitOnce(this.#options, { writes: copies, endMs: this.#callEnd() })
  }

  async query<T extends Doc>(query: Query<T>, options: QueryOptions): Promise<Page<T>> {
    return (await this.#page(query, options)).page
  }

  change<T extends Doc>(
    ref: Ref<T>,
    fn: (current: T | undefined) => T | 'keep' | 'delete',
    { deadlineMs = storeLimits.deadlineMs }: Deadline = {},
  ): Promise<T | undefined> {
    const endMs = this.#options.clock.monotonic() + deadlineMs
    return this.#inTurn(refKey(ref), () =>
      this.#untilUncontended(endMs, async () => {
        const [found] = await this.#read([ref])
        const before = found && structuredClone(found.data)
        const next = fn(before)
        if (next === 'keep' || (next === 'delete' && !found)) return next === 'keep' ? found?.data : undefined
        const expected = found ? { version: found.version, fields: Object.keys(found.data) } : 'missing'
        const data = next === 'delete' ? undefined : copyDoc(ref, next)
        const write: Write = data ? { op: 'set', ref, data } : { op: 'delete', ref }
        await commitOnce(this.#options, { writes: [{ write, expected }], endMs: this.#callEnd() })
        return data
      }),
    )
  }

  transact<T>(
    fn: (tx: Transaction) => Promise<T>,
    { deadlineMs = storeLimits.deadlineMs }: Deadline = {},
  ): Promise<T> {
    const endMs = this.#options.clock.monotonic() + deadlineMs
    return this.#untilUncontended(endMs, async () => {
      const recorder = new Recorder(this.#reader)
      try {
        const result = await fn(recorder)
        const { writes, unguarded } = recorder.plan()
        if (writes.length > 0) await this.#commit(writes, unguarded)
        else await this.#believe(recorder.reads)
        return result
      } catch (error) {
        // Do not believe a result based on documents that changed meanwhile: this throws store.changed.
        if (!isLost(error)) await this.#believe(recorder.reads)
        throw error
      } finally {
        recorder.finish()
      }
    })
  }

  async close(): Promise<void> {
    const { clock, pending } = this.#options
    const patience = new AbortController()
    await Promise.race([
      Promise.allSettled(pending),
      sleep(clock, this.#callDeadlineMs, patience.signal).catch(() => {}),
    ])
    patience.abort()
    // The client waits without end for its calls, and its own retries would fail where nobody hears it.
    if (pending.size === 0) await this.#db.terminate()
  }

  async #commit(writes: readonly GuardedWrite[], unguarded: Reads): Promise<void> {
    const { documents, queries } = unguarded
    const commit = (again: Pick<CommitOrder, 'validate'>) =>
      commitOnce(this.#options, { writes, endMs: this.#callEnd(), ...again })
    if (documents.length + queries.length === 0) return commit({})
    const again = { validate: validate.bind(undefined, this.#db, unguarded) }
    // Two that each read what the other is about to add wait for each other's locks, until one times out.
    const [first] = queries
    return first ? this.#inTurn(first.query.collection, () => commit(again)) : commit(again)
  }

  /** Nothing to do for a single read, which is consistent by itself. @throws store.changed */
  async #believe(reads: Reads): Promise<void> {
    if (reads.documents.length + reads.queries.length < 2) return
    const run = validate.bind(undefined, this.#db, reads)
    try {
      await withDeadline(this.#options, this.#callEnd(), () =>
        this.#db.runTransaction(run, { readOnly: true }),
      )
    } catch (error) {
      throw storeFailure(error)
    }
  }

  async #read<T extends Doc>(refs: readonly Ref<T>[]) {
    for (const ref of refs) checkRef(ref)
    return readDocuments(this.#options, { refs, endMs: this.#callEnd() })
  }

  async #page<T extends Doc>(query: Query<T>, asked: QueryOptions): Promise<PageRead<T>> {
    checkQuery(this.#declared, query, asked)
    const call = () => queryOf(this.#db, query, asked).get()
    try {
      const { docs } = await withDeadline(this.#options, this.#callEnd(), call)
      return pageOf(query, asked.limit, docs)
    } catch (error) {
      throw storeFailure(error)
    }
  }

  async #untilUncontended<T>(endMs: number, attempt: () => Promise<T>): Promise<T> {
    const { clock, random } = this.#options
    for (let tries = 0; ; tries++) {
      try {
        return await attempt()
      } catch (error) {
        if (!isLost(error)) throw error
        const pauseMs = backoffMs(retryShape, tries, random)
        if (clock.monotonic() + pauseMs >= endMs) throw fail('store.contention', undefined, { cause: error })
        await sleep(clock, pauseMs)
      }
    }
  }

  async #inTurn<T>(key: string, run: () => Promise<T>): Promise<T> {
    const result = (this.#turns.get(key) ?? Promise.resolve()).then(run)
    // The caller handles its outcome; the next one only waits for its end.
    const over = result.then(
      () => {},
      () => {},
    )
    this.#turns.set(key, over)
    try {
      return await result
    } finally {
      if (this.#turns.get(key) === over) this.#turns.delete(key)
    }
  }

  #callEnd(): number {
    return this.#options.clock.monotonic() + this.#callDeadlineMs
  }
}

function isLost(error: unknown): boolean {
  return isFailure(error, 'store.changed') || isFailure(error, 'store.contention')
}
