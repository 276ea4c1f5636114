/**
 * Wildcards of own domains: `*.app.example.com` stands for every name one level below `app.example.com`, and for no
 * other. All programs use this; host-names.ts reads wildcards from outside.
 */

const star = '*.'

export function isWildcard(host: string): boolean {
  return host.startsWith(star)
}

/** Returns the name after the asterisk; any other host is returned as it is. */
export function withoutStar(host: string): string {
  return isWildcard(host) ? host.slice(star.length) : host
}

/** Returns the wildcard that stands for this host, whether or not there is one; '' for a name without a dot. */
export function wildcardOver(host: string): string {
  const dot = host.indexOf('.')
  return dot === -1 || isWildcard(host) ? '' : `*${host.slice(dot)}`
}

/** Ids of documents have no asterisk. No host that an account can have begins with an underscore, so this is unique. */
export function idOfHost(host: string): string {
  return isWildcard(host) ? `_.${withoutStar(host)}` : host
}

/** The other way round; any other id is returned as it is. */
export function hostOfId(id: string): string {
  return id.startsWith('_.') ? `*${id.slice(1)}` : id
}
