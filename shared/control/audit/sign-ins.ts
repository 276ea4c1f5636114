/**
 * What sign-in writes to the audit log. A sign-in is a person's and no account's, so every account that the person
 * belongs to has it; where there is none yet, and for addresses that nobody has, it is the service's own.
 */
import { type AuditAction, auditWrite } from '../audit.ts'
import type { Doc, Store, Write } from '../platform.ts'
import { queries } from '../query-table.ts'
import { noteRepeated } from './tallies.ts'

export type SignInEvent = {
  readonly action: AuditAction
  /** '' = nobody that is known here. */
  readonly user: string
  readonly from: string
  readonly userAgent?: string | undefined
  readonly details?: Doc
}

/** Of one person; who is in more has the entry in the oldest ones. */
const accountsMax = 10

export type SignInWrite = Extract<Write, { readonly op: 'create' | 'set' }>

/** To be committed with what they tell of. */
export async function signInWrites(
  store: Pick<Store, 'query'>,
  { user, ...event }: SignInEvent,
  nowMs: number,
): Promise<readonly SignInWrite[]> {
  const accounts = await accountsOf(store, user)
  return accounts.map((account) => auditWrite({ account, actor: user, target: user, ...event }, nowMs))
}

/** What strangers can repeat at will is counted by source and hour. */
export async function noteFailedSignIn(
  parts: Parameters<typeof noteRepeated>[0] & { readonly store: Pick<Store, 'query'> },
  { user, action, from, userAgent }: SignInEvent,
): Promise<void> {
  const event = { action, from, userAgent, target: user || 'unknown' }
  for (const account of await accountsOf(parts.store, user)) await noteRepeated(parts, account, [event])
}

/** For nobody it asks as well: what a failed sign-in costs must not tell whether there is such a person. */
async function accountsOf(store: Pick<Store, 'query'>, user: string): Promise<readonly string[]> {
  const where = { user: user || 'nobody' }
  const { items } = await store.query(queries.membersOfUser, { where, limit: accountsMax })
  return items.length === 0 ? [''] : items.map(({ data }) => data.account)
}
