/** Where to go after signing in: the address that asked for it, and never another site. */

/** The sign-in page's address, remembering where the reader wanted to be. */
export function signInAddress(path: string, search: string): string {
  const wanted = search ? `${path}?${search}` : path
  return wanted === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(wanted)}`
}

/** The wanted address from a sign-in page's query string; the start page when there is none to trust. */
export function nextAfterSignIn(search: string): string {
  const next = new URLSearchParams(search).get('next') ?? '/'
  // One slash and no backslash: `//host` and `/\host` are addresses of other sites, and browsers skip tabs.
  return /^\/(?![/\\])[^\\\p{Cc}]*$/u.test(next) ? next : '/'
}

/** The token of an invitation, if the reader came by its link: it lets them make an account. */
export function invitationIn(search: string): string | undefined {
  const [path, query] = nextAfterSignIn(search).split('?')
  return path === '/join' ? (new URLSearchParams(query).get('invitation') ?? undefined) : undefined
}
