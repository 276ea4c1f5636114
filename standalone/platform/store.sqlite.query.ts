/** The SQL of a declared query. Every clause uses the query's own index, which INDEXED BY enforces. */
import type { Query, QueryOptions } from '@porttunneler/shared/control/platform'
import { fieldSql, indexName } from './store.sqlite.database.ts'

type Value = string | number | bigint

/** Text and bindings. One text for each query and set of bounds, so that there are few prepared statements. */
export function querySql(
  query: Query,
  { where, from, to, after, limit }: QueryOptions,
): { readonly sql: string; readonly values: Value[] } {
  const rising = query.direction === 'ascending'
  const order = fieldSql(query.order)
  const clauses = [`collection = '${query.collection}'`, `${order} IS NOT NULL`]
  const values: Value[] = []
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
    values.push(comparable(low))
  }
  if (high !== undefined) {
    clauses.push(`${order} <= ?`)
    values.push(comparable(high))
  }
  if (after) {
    clauses.push(`(${order}, id) ${rising ? '>' : '<'} (?, ?)`)
    values.push(comparable(after[0]), after[1])
  }
  values.push(limit)
  const direction = rising ? 'ASC' : 'DESC'
  // As a double, as it was written: beyond 2^53 node:sqlite returns no integer.
  const place = `CASE typeof(${order}) WHEN 'integer' THEN CAST(${order} AS REAL) ELSE ${order} END`
  const sql = `SELECT id, version, ttl, body, ${place} AS place FROM documents INDEXED BY ${indexName(query)}
    WHERE ${clauses.join(' AND ')} ORDER BY ${order} ${direction}, id ${direction} LIMIT ?`
  return { sql, values }
}

/**
 * A value as SQLite's `->>` returns it from a document. JSON's true and false are 1 and 0. Beyond 2^53 JSON writes the
 * shortest digits that mean the number: SQLite reads them as an integer, which is not the double's own value.
 */
function comparable(value: unknown): Value {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value as Value
  const written = JSON.stringify(value)
  const integer = /^-?\d+$/.test(written) ? BigInt(written) : undefined
  return integer === undefined || BigInt.asIntN(64, integer) !== integer ? (value as number) : integer
}
