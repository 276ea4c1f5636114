/**
 * How a part of an export is declared: one collection, the fields of its documents that are shown, and how those of one
 * person or account are found. Every field of the type is listed, so a new field is shown or hidden on purpose.
 */
import type { Control } from '../control.ts'
import type { Collection } from '../names.ts'
import type { Doc, Page, Query, QueryOptions, Ref, Snapshot } from '../platform.ts'

/** Whose data: a person, or an account, which has no address. */
export type Whose = { readonly id: string; readonly email: string }

export type Part = {
  /** The collection that it comes from, and its name in the export. */
  readonly name: string
  readonly of: 'person' | 'account'
  /** One row at a time; a page of documents is in memory at most. */
  readonly rows: (control: Control, whose: Whose) => AsyncIterable<Doc>
  /** The documents themselves, for legal holds. */
  readonly found: (control: Control, whose: Whose) => AsyncIterable<Snapshot>
}

/** 'hide': secrets, hashes of secrets, and counters that only the service needs. */
type Fields<T> = { readonly [F in keyof Required<T>]: 'show' | 'hide' }
type Found<T extends Doc> = AsyncIterable<Snapshot<T>>

type Shape<T extends Doc> = {
  readonly fields: Fields<T>
  /** What the document's id says, for a person to read; default: the id itself as `id`. */
  readonly named?: (id: string) => Doc
  readonly find: (control: Control, whose: Whose) => Found<T>
  /** Replaces packed fields by what they mean. */
  readonly unpack?: (data: T) => Doc
}

export function part<T extends Doc>(of: Part['of'], from: Collection<T>, shape: Shape<T>): Part {
  const { fields, named = (id) => ({ id }), find, unpack } = shape
  async function* rows(control: Control, whose: Whose) {
    for await (const { ref, data } of find(control, whose)) {
      const shown = Object.entries(data).filter(([field]) => fields[field as keyof T] === 'show')
      yield { ...named(ref.id), ...Object.fromEntries(shown), ...unpack?.(data) }
    }
  }
  return { name: from.name, of, rows, found: find }
}

/** Fewer than a transaction or an answer may hold; at most this many documents are in memory. */
const pageSize = 100

/** All documents that a query finds, page by page. */
export async function* all<T extends Doc>(
  { store }: Pick<Control, 'store'>,
  query: Query<T>,
  options: Omit<QueryOptions, 'limit' | 'after'>,
): AsyncGenerator<Snapshot<T>> {
  let after: QueryOptions['after']
  do {
    const page: Page<T> = await store.query(query, { ...options, limit: pageSize, ...(after && { after }) })
    yield* page.items
    after = page.next
  } while (after)
}

/** The documents with these ids that there are. */
export async function* these<T extends Doc>(
  { store }: Pick<Control, 'store'>,
  refs: readonly Ref<T>[],
): AsyncGenerator<Snapshot<T>> {
  for (const found of await store.getAll(refs)) if (found) yield found
}

/** One list after the other. */
export async function* each<T>(...lists: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  for (const list of lists) yield* list
}

/** For documents whose id says nothing, or is the hash of a secret. */
export const nameless = () => ({})
