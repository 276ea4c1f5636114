/**
 * What an operator looks for when somebody attacks or abuses the service: entries of audit logs of all accounts whose
 * action says so, the newest first. They have a field of their own with an index that others do not pay for.
 */
import { describeEntry } from '../audit/reading.ts'
import type { AuditDoc } from '../audit-documents.ts'
import type { Control } from '../control.ts'
import type { Page, Query, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'

export type SecurityFilter = {
  readonly account?: string | undefined
  readonly address?: string | undefined
  readonly kind?: string | undefined
}

/** By at most one of account, address and kind. */
export function pageSecurity(
  { store }: Pick<Control, 'store'>,
  { account, address, kind }: SecurityFilter,
  page: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<AuditDoc>> {
  const read = (query: Query<AuditDoc>, where: QueryOptions['where']) =>
    store.query(query, { where, ...page })
  if (account !== undefined) return read(queries.securityOfAccount, { account })
  if (address !== undefined) return read(queries.securityFrom, { from: address })
  if (kind !== undefined) return read(queries.securityOfKind, { action: kind })
  return read(queries.securityByTime, {})
}

/** @returns without the details of accounts' own entries, except how often it happened and why an operator did it */
export function describeSecurity(found: Snapshot<AuditDoc>) {
  const { id, at, actor, action, target, from, userAgent, details } = describeEntry(found)
  const { count, reason } = details
  return {
    id,
    at,
    account: found.data.account,
    kind: action,
    actor,
    target,
    address: from,
    ...(userAgent !== undefined && { userAgent }),
    ...(typeof count === 'number' && { count }),
    ...(typeof reason === 'string' && { reason }),
  }
}
