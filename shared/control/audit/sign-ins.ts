/**
 * What sign-in writes to the audit log. A sign-in belongs to a person and not to an account, so every account of the
 * person has it. Where there is none yet, and for unknown addresses, the service's own log has it.
 */
import { type AuditAction, auditWrite } from '../audit.ts'
import type { Doc, Store, Write } from '../platform.ts'
import { queries } from '../query-table.ts'
import { recordRepeated } from './tallies.ts'

export type SignInEvent = {
  readonly action: AuditAction
  /** '' = nobody that we know. */
  readonly user: string
  readonly from: string
  readonly userAgent?: string | undefined
  readonly details?: Doc
}

/** A person with more accounts has the entry in the oldest ones. */
const accountsMax = 10

export type SignInWrite = Extract<Write, { readonly op: 'create' | 'set' }>

/** These writes commit with the change that they report. */
export async function signInWrites(
  store: Pick<Store, 'query'>,
  { user, ...event }: SignInEvent,
  nowMs: number,
): Promise<readonly SignInWrite[]> {
  const accounts = await accountsOf(store, user)
  return accounts.map((account) => auditWrite({ account, actor: user, target: user, ...event }, nowMs))
}

/** Counts by source and hour what strangers can repeat as often as they like. */
export async function recordFailedSignIn(
  parts: Parameters<typeof recordRepeated>[0] & { readonly store: Pick<Store, 'query'> },
  { user, action, from, userAgent }: SignInEvent,
): Promise<void> {
  const event = { action, from, userAgent, target: user || 'unknown' }
  for (const account of await accountsOf(parts.store, user)) await recordRepeated(parts, account, [event])
}

/** A wrong password, and whether it makes the next attempt wait. */
export async function recordFailedPassword(
  parts: Parameters<typeof recordFailedSignIn>[0],
  {
    user = '',
    hasLocked,
    ...by
  }: Pick<SignInEvent, 'from' | 'userAgent'> & {
    readonly user: string | undefined
    readonly hasLocked: boolean
  },
): Promise<void> {
  await recordFailedSignIn(parts, { action: 'auth.failed', user, ...by })
  if (hasLocked) await recordFailedSignIn(parts, { action: 'auth.locked', user, ...by })
}

/** Queries even when the user is unknown: the cost of a failed sign-in must not reveal whether a person exists. */
async function accountsOf(store: Pick<Store, 'query'>, user: string): Promise<readonly string[]> {
  const where = { user: user || 'nobody' }
  const { items } = await store.query(queries.membersOfUser, { where, limit: accountsMax })
  return items.length === 0 ? [''] : items.map(({ data }) => data.account)
}
