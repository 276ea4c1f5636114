/**
 * The rules of every store, checked the same way before any engine sees the data: the stricter of SQLite and Firestore,
 * so that what works on one machine works in the cloud. Only implementations of Store use it.
 */
import { fail } from '../base/errors.ts'
import type { Doc, Query, QueryOptions, Ref, Write } from './platform.ts'
import type { QueryTable } from './queries.ts'

export const storeLimits = {
  documentBytes: 1_048_576,
  /** Firestore's own limit on nesting. */
  depth: 20,
  batchWrites: 400,
  /**
   * Firestore takes 500. With this many, enough claims of an account fit that its hot document, the quota, is written
   * seldom.
   */
  transactionDocuments: 60,
  pageItems: 500,
  deadlineMs: 10_000,
} as const

const idShape = /^[A-Za-z0-9:._-]{1,128}$/
const collectionShape = /^[a-z][A-Za-z0-9]{0,63}$/
/** No dots: an update of `{'m.example.com': 1}` would nest in Firestore. Host names are never keys. */
const fieldShape = /^[A-Za-z0-9:_-]{1,128}$/
/** Fields of queries become part of SQL and index definitions. */
const indexedFieldShape = /^[A-Za-z][A-Za-z0-9]{0,63}$/
/** Firestore's own names, and the field in which its store marks a document with the commit that wrote it. */
const reserved = /^(__.*__|_commit)$/

/** @throws store.invalid */
export function checkRef(ref: Ref): void {
  if (!collectionShape.test(ref.collection)) throw refuse('a collection name is letters and digits')
  const { id } = ref
  if (typeof id !== 'string' || !idShape.test(id) || id === '.' || id === '..' || reserved.test(id))
    throw refuse(`an id in ${ref.collection} is outside [A-Za-z0-9:._-]{1,128}`)
}

/** @throws store.invalid for anything that some engine would not return unchanged */
export function checkDoc(ref: Ref, data: Doc): void {
  checkRef(ref)
  if (!isPlain(data)) throw refuse(`a document of ${ref.collection} is not a plain object`)
  let bytes = Buffer.byteLength(ref.collection) + ref.id.length + 2 + 32
  for (const [field, value] of Object.entries(data)) {
    checkField(field)
    bytes += field.length + 1
    if (field === 'ttl') {
      if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw refuse('ttl is not a Date')
      bytes += 8
    } else bytes += checkValue(value, field, 1)
  }
  if (bytes > storeLimits.documentBytes)
    throw refuse(`a document of ${ref.collection} has ${bytes} bytes; at most 1 MiB fit`)
}

/** A copy that does not follow later changes to `data`. @throws store.invalid */
export function copyDoc<T extends Doc>(ref: Ref, data: T): T {
  checkDoc(ref, data)
  return structuredClone(data)
}

/** @returns the value's size as Firestore counts it: strings UTF-8 + 1, numbers 8, the rest 1 */
function checkValue(value: unknown, field: string, depth: number): number {
  if (depth > storeLimits.depth) throw refuse(`${field} is nested deeper than ${storeLimits.depth} levels`)
  if (value === null || typeof value === 'boolean') return 1
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refuse(`${field} is not a finite number`)
    return 8
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw refuse(`${field} is not well-formed Unicode`)
    return Buffer.byteLength(value) + 1
  }
  if (Array.isArray(value)) return checkList(value, field, depth)
  if (!isPlain(value)) throw refuse(`${field} is neither JSON nor the one Date, ttl`)
  let bytes = 32
  for (const [key, inner] of Object.entries(value)) {
    checkField(key)
    bytes += key.length + 1 + checkValue(inner, `${field}.${key}`, depth + 1)
  }
  return bytes
}

function checkList(list: readonly unknown[], field: string, depth: number): number {
  let bytes = 0
  // By index: a hole must be refused, and for-of would show it as undefined.
  for (let index = 0; index < list.length; index++) {
    const item = list[index]
    if (Array.isArray(item)) throw refuse(`${field} is a list inside a list`)
    bytes += checkValue(item, field, depth + 1)
  }
  return bytes
}

function checkField(field: string): void {
  if (!fieldShape.test(field) || reserved.test(field))
    throw refuse(`a field name is outside [A-Za-z0-9:_-]{1,128}`)
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  return Object.getOwnPropertySymbols(value).length === 0
}

/** @throws store.invalid */
export function checkWrites(writes: readonly Write[]): void {
  if (writes.length > storeLimits.batchWrites)
    throw refuse(`a batch has ${writes.length} writes; at most ${storeLimits.batchWrites} fit`)
  const seen = new Set<string>()
  for (const write of writes) {
    if (write.op === 'delete') checkRef(write.ref)
    else checkDoc(write.ref, write.op === 'update' ? write.fields : write.data)
    const key = refKey(write.ref)
    // Engines differ in what a second write sees, so there is no second write.
    if (seen.has(key)) throw refuse(`a document of ${write.ref.collection} is written twice at once`)
    seen.add(key)
  }
}

/** @throws store.invalid for two queries with one name, or fields that cannot be part of an index */
export function checkTable(table: QueryTable): ReadonlyMap<string, Query> {
  const byName = new Map<string, Query>()
  for (const query of table) {
    if (byName.has(query.name)) throw refuse(`two queries are named ${query.name}`)
    if (!indexedFieldShape.test(query.name)) throw refuse('a query name is letters and digits')
    if (!collectionShape.test(query.collection)) throw refuse(`query ${query.name} has an odd collection`)
    for (const field of [...query.equals, query.order])
      if (!indexedFieldShape.test(field) || field === 'ttl')
        throw refuse(`query ${query.name} cannot use the field ${field}`)
    byName.set(query.name, query)
  }
  return byName
}

/** @throws store.invalid unless `query` is in the table and `options` fit it */
export function checkQuery(
  declared: ReadonlyMap<string, Query>,
  query: Query,
  { where, limit, after, from, to }: QueryOptions,
): void {
  if (declared.get(query.name) !== query) throw refuse(`the query ${query.name} is not declared`)
  if (!Number.isInteger(limit) || limit < 1 || limit > storeLimits.pageItems)
    throw refuse(`a page of ${query.name} has 1 to ${storeLimits.pageItems} items`)
  const given = Object.keys(where)
  if (given.length !== query.equals.length || !query.equals.every((field) => given.includes(field)))
    throw refuse(`${query.name} needs a value for exactly: ${query.equals.join(', ')}`)
  for (const field of query.equals)
    if (!isScalar(where[field]) && typeof where[field] !== 'boolean')
      throw refuse(`${query.name} cannot compare ${field} with such a value`)
  for (const bound of [from, to, after?.[0]])
    if (bound !== undefined && !isScalar(bound))
      throw refuse(`a bound of ${query.name} is no string or number`)
  if (after) checkRef({ collection: query.collection, id: after[1] })
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' ? value.isWellFormed() : Number.isFinite(value)
}

export function refKey(ref: Ref): string {
  return `${ref.collection}/${ref.id}`
}

function refuse(detail: string) {
  return fail('store.invalid', detail)
}

/** The part of a reference that says the reach of one of the query's documents. */
export function refReach({ reach }: Pick<Query, 'reach'>): Pick<Ref, 'reach'> {
  return reach === 'account' ? {} : { reach }
}
