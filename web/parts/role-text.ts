/** What the roles of members mean, in words for people. */
import type { Role } from '@porttunneler/shared/api/schemas/access'

export const roleTexts: Record<Role, { readonly label: string; readonly meaning: string }> = {
  owner: { label: 'Owner', meaning: 'May do everything, also close the account and make other owners.' },
  admin: { label: 'Admin', meaning: 'Manages members, keys and settings, and serves tunnels.' },
  developer: { label: 'Developer', meaning: 'Makes and serves tunnels, with keys of their own.' },
  billing: { label: 'Billing', meaning: 'Looks at everything, and manages payment.' },
  viewer: { label: 'Viewer', meaning: 'Looks at tunnels and usage, and changes nothing.' },
}

/** In the order that forms show them; only an owner makes owners. */
export function rolesToGive(own: Role): readonly Role[] {
  const all = Object.keys(roleTexts) as readonly Role[]
  return own === 'owner' ? all : all.filter((role) => role !== 'owner')
}
