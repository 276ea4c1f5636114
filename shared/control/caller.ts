/** Who asks: what authentication found out, and what every rule may rely on. */
import type { Role, Scope } from '../api/schemas/accounts.ts'
import { fail } from '../base/errors.ts'
import type { PlanLimits } from './plans.ts'

export type Caller = {
  readonly account: string
  readonly accountName: string
  readonly plan: string
  readonly limits: PlanLimits
  readonly role: Role
  readonly scopes: readonly Scope[]
  /** The key or user that audit entries and idempotency records name. */
  readonly actor: string
  /** Only when a person signed in, not a key. */
  readonly user?: { readonly id: string; readonly email: string; readonly emailVerified: boolean }
  /** Address that the request came from; '' inside the service. */
  readonly from: string
}

/** `admin` may do everything, `tunnels` may also read. @throws auth.scope */
export function requireScope(caller: Caller, scope: Scope): void {
  const isMet =
    caller.scopes.includes('admin') ||
    caller.scopes.includes(scope) ||
    (scope === 'read' && caller.scopes.includes('tunnels'))
  if (!isMet) throw fail('auth.scope', `This needs the scope "${scope}"; yours: ${caller.scopes.join(', ')}.`)
}

/** @throws auth.scope unless a signed-in person asks: what makes new credentials is not for a key without `admin` */
export function requireUser(caller: Caller): NonNullable<Caller['user']> {
  if (!caller.user) throw fail('auth.scope', 'Only a signed-in person can do this, not an API key.')
  return caller.user
}
