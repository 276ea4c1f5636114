/**
 * Who may speak to the inspector: the user's own browser on its own page, and programs of this machine. A web page of
 * anybody else must get nothing from it, whatever name it calls this machine by (DNS rebinding), and must not be able
 * to change anything (CSRF). Sources: the Fetch standard for Origin and Sec-Fetch-Site.
 */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

export const tokenHeader = 'ptun-inspector'

/**
 * No answer of the inspector may be framed, guessed at, kept or read by another origin, and its page runs its own
 * script alone. Bodies are shown as text, so nothing in them can run; images come as blobs of five known kinds.
 */
export const safeHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'cache-control': 'no-store',
}

/** @returns why a request is refused; undefined if it may pass */
export function strangeness(
  { method, headers, url = '/' }: Pick<IncomingMessage, 'method' | 'headers' | 'url'>,
  { port, token }: { readonly port: number; readonly token: string },
): string | undefined {
  const names = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]
  if (headers.host === undefined || !names.includes(headers.host.toLowerCase()))
    return `This machine is not called "${(headers.host ?? '').slice(0, 80)}" here.`
  if (headers.origin !== undefined && !names.some((name) => headers.origin === `http://${name}`))
    return 'Another web page sent this.'
  const site = headers['sec-fetch-site']
  const isPage = method === 'GET' && !url.startsWith('/api/') && headers['sec-fetch-mode'] === 'navigate'
  // A link from elsewhere may open the page, and nothing else.
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isPage)
    return 'Another web page sent this.'
  if (method === 'GET' || method === 'HEAD') return undefined
  return isToken(headers[tokenHeader], token) ? undefined : 'The token of the page is missing.'
}

function isToken(sent: string | readonly string[] | undefined, token: string): boolean {
  if (typeof sent !== 'string') return false
  const [a, b] = [Buffer.from(sent), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}
