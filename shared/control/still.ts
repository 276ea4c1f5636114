/**
 * Whether a caller still has a right at the moment of the act. A person's rights come from a cache of 30 s, so whoever
 * lost one could undo the loss in that time: take the role again, make a key that stays, or take a name along. Acts
 * that outlast the right therefore read the membership again in their transaction. shared/api/access.test.ts lists the
 * routes.
 */
import { type Permission, permissionsOf } from '../api/schemas/access.ts'
import { fail } from '../base/errors.ts'
import { type Caller, requirePermission, roleOf } from './caller.ts'
import { type MemberDoc, members } from './documents.ts'
import type { Transaction } from './platform.ts'
import { isAhead } from './stored-times.ts'

type Need = { readonly needs: Permission; readonly nowMs: number }

/** Costs one read; call it before the first write. @throws auth.scope; auth.invalid for a sign-in that was ended */
export async function requireStill(tx: Pick<Transaction, 'get'>, caller: Caller, need: Need): Promise<void> {
  const { account, member } = caller
  requirePermission(caller, need.needs)
  // Operators are members of nothing; a key without a maker is read anew with every call.
  if (member === '') return
  requireHeld(caller, (await tx.get(members.ref(`${account}:${member}`)))?.data, need)
}

/** The same for a transaction that has read the caller's membership anyway. */
export function requireHeld(caller: Caller, own: MemberDoc | undefined, { needs, nowMs }: Need): void {
  requirePermission(caller, needs)
  if (caller.member === '') return
  if (!own || own.status === 'disabled' || !permissionsOf(roleOf(own)).has(needs))
    throw fail('auth.scope', `You no longer have the right "${needs}" in this account.`)
  requireLive(caller, own, nowMs)
}

/**
 * A sign-in that ended together with the keys of its time must not make anything that lasts. @throws auth.invalid
 */
export function requireLive({ user }: Pick<Caller, 'user'>, member: MemberDoc, nowMs: number): void {
  const { keysSince = 0 } = member
  // A process whose clock was ahead must not lock people out until then.
  if (isAhead(keysSince, { nowMs, lastsMs: 0 })) return
  if (user?.authTimeMs !== undefined && user.authTimeMs < keysSince) throw fail('auth.invalid')
}
