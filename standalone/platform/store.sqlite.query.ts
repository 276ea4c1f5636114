/** The SQL of a declared query. Every clause uses the query's own index, which INDEXED BY enforces. */
import type { Query, QueryOptions } from '@porttunneler/shared/control/platform'
import { fieldSql, indexName } from './store.sqlite.database.ts'

/** Text and bindings. One text for each query and set of bounds, so that there are few prepared statements. */
export function querySql(
  query: Query,
  { where, from, to, after, limit }: QueryOptions,
): { readonly sql: string; readonly values: (string | number)[] } {
  const rising = query.direction === 'ascending'
  const order = fieldSql(query.order)
  const clauses = [`collection = '${query.collection}'`, `${order} IS NOT NULL`]
  const values: (string | number)[] = []
  for (const field of query.equals) {
    clauses.push(`${fieldSql(field)} = ?`)
    values.push(comparable(where[field]))
  }
  // The cursor lies within the bounds, so on its side it replaces the bound. SQLite seeks only by a plain comparison,
  // so the row value is an addition.
  const low = rising && after ? after[0] : from
  const high = !rising && after ? after[0] : to
  if (low !== undefined) {
    clauses.push(`${order} >= ?`)
    values.push(low)
  }
  if (high !== undefined) {
    clauses.push(`${order} <= ?`)
    values.push(high)
  }
  if (after) {
    clauses.push(`(${order}, id) ${rising ? '>' : '<'} (?, ?)`)
    values.push(after[0], after[1])
  }
  values.push(limit)
  const direction = rising ? 'ASC' : 'DESC'
  // As a double, as it was written: beyond 2^53 node:sqlite returns no integer.
  const place = `CASE typeof(${order}) WHEN 'integer' THEN CAST(${order} AS REAL) ELSE ${order} END`
  const sql = `SELECT id, version, ttl, body, ${place} AS place FROM documents INDEXED BY ${indexName(query)}
    WHERE ${clauses.join(' AND ')} ORDER BY ${order} ${direction}, id ${direction} LIMIT ?`
  return { sql, values }
}

/** JSON's true and false are 1 and 0 in SQLite's `->>`. */
function comparable(value: unknown): string | number {
  if (typeof value === 'boolean') return value ? 1 : 0
  return value as string | number
}
