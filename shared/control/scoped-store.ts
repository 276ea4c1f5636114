/**
 * A store that sees only one account: what belongs to another seems not to exist, and can neither be read, replaced nor
 * deleted through it, whatever ids a request brings. The collection's reach (names.ts) says how a document belongs to
 * an account: by the field `account`, stamped on every write; by the id itself; or, where documents pass between
 * accounts, by the present value of `account`. Global collections are refused: code that needs them uses the whole
 * store.
 *
 * Ownership is looked up before a blind write. Outside a transaction that is enough only because ids of account
 * collections contain the account or are random, so a document never passes to another account. Shared documents are
 * written in a transaction or by `change`, which see what they replace.
 */
import { fail } from '../base/errors.ts'
import type { Doc, Query, QueryOptions, Reach, Ref, Snapshot, Store, Transaction, Write } from './platform.ts'
import { copyDoc, refKey } from './store-rules.ts'

export interface AccountStore extends Omit<Store, 'close'> {
  readonly account: string
}

/** Calls reject with store.invalid for a global collection, or for a query that does not name the account. */
export function scopedStore(store: Store, account: string): AccountStore {
  const own = <T extends Doc>(snapshot: Snapshot<T> | undefined) => ownOnly(account, snapshot)
  const owned = (writes: readonly Write[]) => {
    for (const { ref } of writes)
      if (ref.reach === 'shared') throw fail('store.invalid', `${ref.collection} is written in transactions`)
    return ownWrites(account, writes, (refs) => store.getAll(refs))
  }
  return {
    account,
    async get(ref) {
      return own(await store.get(readable(ref)))
    },
    async getAll(refs) {
      return (await store.getAll(refs.map(readable))).map(own)
    },
    async query(query, options) {
      return store.query(query, ownOptions(account, query, options))
    },
    async create(ref, data) {
      return store.batch(await owned([{ op: 'create', ref, data }]))
    },
    async set(ref, data) {
      return store.batch(await owned([{ op: 'set', ref, data }]))
    },
    async update(ref, fields, condition) {
      return store.batch(await owned([{ op: 'update', ref, fields: fields as Doc, ...given(condition) }]))
    },
    async delete(ref, condition) {
      return store.batch(await owned([{ op: 'delete', ref, ...given(condition) }]))
    },
    async batch(writes) {
      return store.batch(await owned(writes))
    },
    async change(ref, fn, options) {
      const result = await store.change(readable(ref), ownChange(account, ref, fn), options)
      return result && isOwn(account, ref, result) ? result : undefined
    },
    transact: (fn, options) =>
      store.transact(async (tx) => {
        const recorder = new OwnTransaction(tx, account)
        const result = await fn(recorder)
        await recorder.apply()
        return result
      }, options),
  }
}

/**
 * Collects writes until the body is done, then reads every document that is written without a read, while reading is
 * still allowed.
 */
class OwnTransaction implements Transaction {
  readonly #tx: Transaction
  readonly #account: string
  readonly #writes: Write[] = []
  readonly #read = new Map<string, Snapshot | undefined>()

  constructor(tx: Transaction, account: string) {
    this.#tx = tx
    this.#account = account
  }

  async get<T extends Doc>(ref: Ref<T>) {
    this.#beforeRead()
    const snapshot = await this.#tx.get(readable(ref))
    this.#read.set(refKey(ref), snapshot)
    return ownOnly(this.#account, snapshot)
  }

  async query<T extends Doc>(query: Query<T>, options: QueryOptions) {
    this.#beforeRead()
    return this.#tx.query(query, ownOptions(this.#account, query, options))
  }

  create<T extends Doc>(ref: Ref<T>, data: T): void {
    this.#writes.push({ op: 'create', ref, data: copyDoc(ref, data) })
  }

  set<T extends Doc>(ref: Ref<T>, data: T): void {
    this.#writes.push({ op: 'set', ref, data: copyDoc(ref, data) })
  }

  update<T extends Doc>(ref: Ref<T>, fields: Partial<T>): void {
    this.#writes.push({ op: 'update', ref, fields: copyDoc(ref, fields as Doc) })
  }

  delete(ref: Ref): void {
    this.#writes.push({ op: 'delete', ref })
  }

  async apply(): Promise<void> {
    const read = (refs: readonly Ref[]) => Promise.all(refs.map((ref) => this.#known(ref)))
    for (const write of await ownWrites(this.#account, this.#writes, read)) {
      if (write.op === 'delete') this.#tx.delete(write.ref)
      else if (write.op === 'update') this.#tx.update(write.ref, write.fields)
      else this.#tx[write.op](write.ref, write.data)
    }
  }

  /** What the body has read is not read again. */
  #known(ref: Ref): Promise<Snapshot | undefined> {
    const key = refKey(ref)
    return this.#read.has(key) ? Promise.resolve(this.#read.get(key)) : this.#tx.get(ref)
  }

  #beforeRead(): void {
    if (this.#writes.length > 0) throw fail('store.invalid', 'a transaction reads before it writes')
  }
}

/** Stamps the writes. Writes to another account's documents fail as if the documents were missing. */
async function ownWrites(
  account: string,
  writes: readonly Write[],
  read: (refs: readonly Ref[]) => Promise<readonly (Snapshot | undefined)[]>,
): Promise<readonly Write[]> {
  const blind = writes.flatMap((write) => (write.op === 'create' ? [] : [readable(write.ref)]))
  const foreign = new Set<string>()
  for (const snapshot of await read(blind))
    if (snapshot && !isOwn(account, snapshot.ref, snapshot.data)) foreign.add(refKey(snapshot.ref))
  return writes.flatMap((write): readonly Write[] => {
    const isForeign = foreign.has(refKey(write.ref)) || isOthersId(account, write.ref)
    switch (write.op) {
      case 'delete':
        if (isForeign && write.if) throw fail('store.changed')
        return isForeign ? [] : [write]
      case 'update':
        if (isForeign) throw fail('store.missing')
        if ('account' in write.fields) return [{ ...write, fields: stamp(account, write.ref, write.fields) }]
        return [write]
      default:
        // It cannot be created either: a stranger's document has its id.
        if (isForeign) throw fail('store.exists')
        return [{ ...write, data: stamp(account, writable(write.ref), write.data) }]
    }
  })
}

function ownChange<T extends Doc>(
  account: string,
  ref: Ref<T>,
  fn: (current: T | undefined) => T | 'keep' | 'delete',
) {
  return (current: T | undefined): T | 'keep' | 'delete' => {
    const isForeign = isOthersId(account, ref) || (current !== undefined && !isOwn(account, ref, current))
    const next = fn(isForeign ? undefined : current)
    if (next === 'keep' || (isForeign && next === 'delete')) return 'keep'
    if (isForeign) throw fail('store.exists')
    return next === 'delete' ? 'delete' : stamp(account, ref, next)
  }
}

function ownOnly<T extends Doc>(account: string, snapshot: Snapshot<T> | undefined) {
  return snapshot && isOwn(account, snapshot.ref, snapshot.data) ? snapshot : undefined
}

function isOwn(account: string, { reach, id }: Ref, data: Doc): boolean {
  return reach === 'ownId' ? id === account : data.account === account
}

function isOthersId(account: string, { reach, id }: Ref): boolean {
  return reach === 'ownId' && id !== account
}

function ownOptions<T extends Doc>(account: string, query: Query<T>, options: QueryOptions): QueryOptions {
  if (query.reach === 'global' || !query.equals.includes('account'))
    throw fail('store.invalid', `the query ${query.name} does not name the account`)
  return { ...options, where: { ...options.where, account } }
}

const unreadable: ReadonlySet<Reach | undefined> = new Set(['global', 'outbox'])

function readable<T extends Doc>(ref: Ref<T>): Ref<T> {
  if (unreadable.has(ref.reach)) throw fail('store.invalid', `${ref.collection} belongs to no account`)
  return ref
}

function writable<T extends Doc>(ref: Ref<T>): Ref<T> {
  if (ref.reach === 'global') throw fail('store.invalid', `${ref.collection} belongs to no account`)
  return ref
}

/** @throws store.invalid when the document names another account: that is a bug, not a request */
function stamp<T extends Doc>(account: string, { reach = 'account' }: Ref, data: T): T {
  if (reach === 'outbox') return data
  const mayBeNobodys = reach === 'shared' && data.account === ''
  if (data.account !== undefined && data.account !== account && !mayBeNobodys)
    throw fail('store.invalid', 'a document names another account')
  return reach === 'account' ? { ...data, account } : data
}

function given<T>(condition: T | undefined): { readonly if?: T } {
  return condition === undefined ? {} : { if: condition }
}
