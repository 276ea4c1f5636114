/** What an account can read of its audit log: pages by one filter, and the proof of one entry. */
import { fail } from '../../base/errors.ts'
import { type AuditDoc, audit, type SealDoc, sealLeaves, seals } from '../audit-documents.ts'
import type { Page, Query, QueryOptions, Snapshot, Store } from '../platform.ts'
import { queries } from '../query-table.ts'
import type { AccountStore } from '../scoped-store.ts'
import { merklePath, type ProofStep } from './seals.ts'

/** Times are inclusive. At most one of action, actor and target is given. */
export type AuditFilter = {
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly action?: string | undefined
  readonly actor?: string | undefined
  readonly target?: string | undefined
}

/** Newest first. */
export function listAudit(
  { store }: { readonly store: Pick<AccountStore, 'query'> },
  { from, to, action, actor, target }: AuditFilter,
  page: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<AuditDoc>> {
  const span = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
  const read = (query: Query<AuditDoc>, where: QueryOptions['where']) =>
    store.query(query, { where, ...span, ...page })
  if (action !== undefined) return read(queries.auditByAction, { action })
  if (actor !== undefined) return read(queries.auditByActor, { actor })
  if (target !== undefined) return read(queries.auditByTarget, { target })
  return read(queries.auditOfAccount, {})
}

export type EntryWithPath = {
  readonly id: string
  readonly entry: { readonly salt: string; readonly body: string }
  readonly path: readonly ProofStep[]
  readonly seal: SealDoc
}

/**
 * @param whole the whole control, since seals belong to no account
 * @throws api.not_found, audit.unsealed
 */
export async function proveEntry(
  whole: { readonly store: Pick<Store, 'get'> },
  own: { readonly store: Pick<AccountStore, 'get'> },
  id: string,
): Promise<EntryWithPath> {
  const found = await own.store.get(audit.ref(id))
  if (!found) throw fail('api.not_found')
  const { seal: number, salt = '', body = '' } = found.data
  if (number === 0) throw fail('audit.unsealed')
  const seal = await whole.store.get(seals.ref(`${number}`))
  const kept = await whole.store.get(sealLeaves.ref(`${number}`))
  const index = kept?.data.ids.indexOf(id) ?? -1
  if (!seal || !kept || index < 0) throw fail('api.not_found', 'The seal of this entry is missing.')
  const path = merklePath(kept.data.ids, kept.data.leaves, index)
  return { id, entry: { salt, body }, path, seal: seal.data }
}

/** An entry as the API shows it. Entries of releases up to 0.1 name no program. */
export function describeEntry({ ref, data }: Snapshot<AuditDoc>) {
  const { userAgent, details = {} } = JSON.parse(data.body ?? '{}') as {
    userAgent?: string
    details?: Record<string, unknown>
  }
  const { at, actor, action, target, from, seal } = data
  return { id: ref.id, at, actor, action, target, from, ...(userAgent && { userAgent }), details, seal }
}
