/** Who asks: what authentication found out, and what every rule may rely on. */
import type { Permission, Role, Scope } from '../api/schemas/access.ts'
import { fail } from '../base/errors.ts'
import type { PlanLimits } from './plans.ts'

export type Person = {
  readonly id: string
  readonly email: string
  readonly emailVerified: boolean
  /** Of the sign-in that asks; absent for one that no token stands for, such as the first account's owner. */
  readonly authTimeMs?: number
}

export type Caller = {
  readonly account: string
  readonly accountName: string
  readonly plan: string
  readonly limits: PlanLimits
  /** Of its account: when periods of usage begin. */
  readonly periodAnchor?: number | undefined
  readonly role: Role
  /** What this request may do: of a person by the role, of a key by its scopes and its maker's present role. */
  readonly permissions: ReadonlySet<Permission>
  /** Of a key; a person has none, for nothing narrows what the role gives. */
  readonly scopes: readonly Scope[]
  /** Names of the only tunnels that a bound key may touch; absent: all of the account. */
  readonly tunnels?: ReadonlySet<string>
  /** The key or user that audit entries and idempotency records name. */
  readonly actor: string
  /** Only when a person signed in, not a key. */
  readonly user?: Person
  /** The member whose rights these are: the person, or the maker of the key. */
  readonly member: string
  /** Address that the request came from; '' inside the service. */
  readonly from: string
  /** What the program that asks calls itself. */
  readonly userAgent?: string | undefined
}

/** @throws auth.scope */
export function requirePermission({ permissions, role, scopes }: Caller, permission: Permission): void {
  if (permissions.has(permission)) return
  const who = scopes.length === 0 ? `the role "${role}"` : `this key (${scopes.join(', ')}, role "${role}")`
  throw fail('auth.scope', `This needs the right "${permission}", which ${who} does not have.`)
}

/** @throws auth.person unless a signed-in person asks */
export function requirePerson({ user }: Pick<Caller, 'user'>): Person {
  if (!user) throw fail('auth.person')
  return user
}

/** Whether a tunnel of this name is within the caller's reach: a bound key sees and touches its own alone. */
export function mayTouch({ tunnels }: Pick<Caller, 'tunnels'>, name: string): boolean {
  return tunnels === undefined || tunnels.has(name)
}

/** Releases up to 0.1 called a developer `member`. */
export function roleOf({ role }: { readonly role?: Role | 'member' }): Role {
  return role === undefined || role === 'member' ? 'developer' : role
}
