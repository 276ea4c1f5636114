/**
 * The one table of queries. A store refuses any query that is not in the table it was opened with, and makes its
 * indexes from it, so a query without an index cannot exist. Every query is: some equalities, one ordered field,
 * the id as tie-break. An indexed field has one type in all documents and is never null; a document without the
 * ordered field is not found.
 */
import type { Collection } from './names.ts'
import type { Doc, Query } from './platform.ts'

export type QueryTable = readonly Query[]

/** `name` is unique in the table: it names the index. */
export function declareQuery<T extends Doc>(
  name: string,
  of: Collection<T>,
  shape: {
    readonly equals: readonly (keyof T & string)[]
    readonly order: keyof T & string
    readonly direction?: 'ascending' | 'descending'
  },
): Query<T> {
  return {
    name,
    collection: of.name,
    equals: shape.equals,
    order: shape.order,
    direction: shape.direction ?? 'ascending',
    reach: of.reach,
  }
}
