/** What the scopes of a key mean, in words for people. */
import type { Scope } from '@porttunneler/shared/api/schemas/access'

export const scopeTexts: Record<Scope, { readonly label: string; readonly meaning: string }> = {
  read: { label: 'Read', meaning: 'Look at tunnels and their live figures.' },
  tunnels: { label: 'Serve tunnels', meaning: 'Create tunnels, claim their endpoints and serve them.' },
  admin: { label: 'Administer', meaning: 'Change everything of the account, its keys too.' },
}

/** In the order that forms show them. */
export const scopes = Object.keys(scopeTexts) as readonly Scope[]
