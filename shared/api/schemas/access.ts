/**
 * Who may do what in an account: roles of members, scopes of keys, and the permissions behind both. One table for the
 * API's checks, its description, the documentation and the console.
 */
export const permissions = [
  'account.read',
  'account.update',
  'account.close',
  'members.read',
  'members.manage',
  'owners.manage',
  'tunnels.read',
  'tunnels.write',
  'tunnels.serve',
  'domains.write',
  'usage.read',
  'live.read',
  'keys.own',
  'keys.manage',
  'audit.read',
  'billing.read',
  'billing.write',
] as const
export type Permission = (typeof permissions)[number]

export const roles = ['owner', 'admin', 'developer', 'billing', 'viewer'] as const
export type Role = (typeof roles)[number]

const viewer = ['account.read', 'members.read', 'tunnels.read', 'usage.read'] as const
const developer = [
  ...viewer,
  'tunnels.write',
  'tunnels.serve',
  'domains.write',
  'live.read',
  'keys.own',
] as const
const admin = [
  ...developer,
  'keys.manage',
  'members.manage',
  'account.update',
  'audit.read',
  'billing.read',
] as const

const ofRole: Readonly<Record<Role, readonly Permission[]>> = {
  owner: permissions,
  admin,
  developer,
  billing: [...viewer, 'billing.read', 'billing.write'],
  viewer,
}

/** The most that a key may do. `tunnels` claims and serves, `read` only looks, `admin` also changes the account. */
export const scopes = ['read', 'tunnels', 'admin'] as const
export type Scope = (typeof scopes)[number]

const read = [...viewer, 'live.read', 'audit.read', 'billing.read'] as const
const ofScope: Readonly<Record<Scope, readonly Permission[]>> = {
  read,
  tunnels: [...viewer, 'live.read', 'tunnels.write', 'tunnels.serve', 'domains.write'],
  // Routes themselves require a signed-in person (`by: 'person'`), so nothing is left out here.
  admin: permissions,
}

export function permissionsOf(role: Role): ReadonlySet<Permission> {
  return new Set(ofRole[role])
}

/** The rights of a key: those of its scopes that its owner has at this moment. */
export function permissionsOfKey(keyScopes: readonly Scope[], role: Role): ReadonlySet<Permission> {
  const own = permissionsOf(role)
  return new Set(keyScopes.flatMap((scope) => ofScope[scope]).filter((permission) => own.has(permission)))
}
