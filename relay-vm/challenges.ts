/**
 * HTTP-01 (RFC 8555, section 8.3) without knowing any order: the answer is the token and the thumbprint of our account
 * key, and is valid for no other account. It comes before any answer of a tunnel or redirect.
 */

const path = '/.well-known/acme-challenge/'
const requestPattern =
  /^GET (?:https?:\/\/[^/ ]{1,255})?\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,256}) HTTP\//i
/** The longest request line that can match. */
const lineMax = 600

/** Whether this request head asks for the answer to a challenge. */
export function asksForChallenge(head: Buffer): boolean {
  return requestPattern.test(head.toString('latin1', 0, lineMax))
}

/** Whether a wildcard for the names under `domain` has this host: it stands for one label (RFC 6125, 6.4.3). */
export function isUnder(host: string, domain: string): boolean {
  return host.slice(host.indexOf('.') + 1) === domain
}

/** @returns the answer of a relay with this key; undefined: it is another path */
export function challengeAnswer(pathname: string, thumbprint: string | undefined): string | undefined {
  if (thumbprint === undefined || !pathname.startsWith(path)) return undefined
  const token = pathname.slice(path.length)
  return /^[A-Za-z0-9_-]{1,256}$/.test(token) ? `${token}.${thumbprint}` : undefined
}
