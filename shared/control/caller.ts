/** Who asks: the result of authentication, which every rule may rely on. */
import type { Permission, Role, Scope } from '../api/schemas/access.ts'
import { fail } from '../base/errors.ts'
import type { PlanLimits } from './plans.ts'
import type { SignInState } from './sign-ins/sign-ins.ts'

export type Person = {
  readonly id: string
  readonly email: string
  readonly emailVerified: boolean
  /** The address that they proved and had until then. */
  readonly former?: { readonly email: string; readonly untilMs: number } | undefined
  /** When the caller signed in; undefined without a token, as for the first account's owner. */
  readonly authTimeMs?: number
  /** Undefined without a token, and for tokens of releases up to 0.1. */
  readonly signIn?: SignInState | undefined
  /** They have a second factor, which this sign-in has shown. */
  readonly hasFactor?: boolean
  /** When their sign-in is erased, which can still be undone. */
  readonly leavingAt?: number
}

export type Caller = {
  readonly account: string
  readonly accountName: string
  readonly plan: string
  readonly limits: PlanLimits
  /** When the account's periods of usage begin. */
  readonly periodAnchor?: number | undefined
  readonly role: Role
  /** What this request may do: for a person by the role, for a key by its scopes and its maker's present role. */
  readonly permissions: ReadonlySet<Permission>
  /** Only a key has scopes; a person has all that the role gives. */
  readonly scopes: readonly Scope[]
  /** For a bound key, the only tunnels that it may touch; undefined: all of the account. */
  readonly tunnels?: ReadonlySet<string>
  /** The key or user that audit entries and idempotency records name. */
  readonly actor: string
  /** Set when it is an operator who looks at the account as its people see it (operator/views.ts). */
  readonly view?: { readonly startedAt: number; readonly endsAt: number }
  /** Set only when a person signed in, not for a key; in a view the person who is looked at. */
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

/** Whether the caller may see and touch a tunnel of this name: a bound key reaches only its own. */
export function mayTouch({ tunnels }: Pick<Caller, 'tunnels'>, name: string): boolean {
  return tunnels === undefined || tunnels.has(name)
}

/** Releases up to 0.1 called a developer `member`. */
export function roleOf({ role }: { readonly role?: Role | 'member' }): Role {
  return role === undefined || role === 'member' ? 'developer' : role
}
