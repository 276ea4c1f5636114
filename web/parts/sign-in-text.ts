/** How somebody signed in, in words that complete "signed in 5 minutes ago …". */
export type NamedService = { readonly id: string; readonly name: string }

/** Firebase's own services. */
const known: readonly NamedService[] = [
  { id: 'google.com', name: 'Google' },
  { id: 'github.com', name: 'GitHub' },
]

/**
 * @param method as the API says it: `password`, `passkey`, `custom` (a passkey at Firebase), or `oidc:` and a service
 * @param services those of this server; Identity Platform puts `oidc.` before the ids of its own
 */
export function signInText(method: string, services: readonly NamedService[]): string {
  if (method === 'password') return 'with a password'
  if (method === 'passkey' || method === 'custom') return 'with a passkey'
  if (!method.startsWith('oidc:')) return ''
  const wanted = method.slice('oidc:'.length)
  const service = [...services, ...known].find(({ id }) => id.replace(/^oidc\./, '') === wanted)
  // One that the operator has taken out of the settings since.
  return service ? `with ${service.name}` : `with another service (${wanted})`
}
