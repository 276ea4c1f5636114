/**
 * The inspector talks to those who have the link that ptun printed. A web page of anybody else must get nothing from
 * it, whatever name it calls this machine by (DNS rebinding), and must not be able to change anything (CSRF); nor may
 * other users of this machine. The token is in the link behind `#`, which browsers send to nobody, and no cookie:
 * browsers send those to every port of a host, so to servers of other users too (RFC 6265, 8.5). Sources: the Fetch
 * standard for Origin and Sec-Fetch-Site.
 */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'

export const tokenHeader = 'ptun-inspector'
/** The same in the query of a GET. */
export const tokenQuery = 'token'

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

type Asked = Pick<IncomingMessage, 'method' | 'headers' | 'url'>

/**
 * The page itself holds nothing, so everybody of this machine may load it; what it shows needs the token.
 * @returns why a request is refused: inspector.stranger, inspector.link; undefined if it may pass
 */
export function refusalOf(
  asked: Asked,
  { port, token }: { readonly port: number; readonly token: string },
): PortTunnelerError | undefined {
  const strange = strangeness(asked, port)
  if (strange !== undefined) return fail('inspector.stranger', strange)
  const { method, headers, url = '/' } = asked
  const reads = method === 'GET' || method === 'HEAD'
  const isForAll = reads && !pathOf(url).startsWith('/api')
  if (isForAll || isToken(headers[tokenHeader], token)) return undefined
  // A picture, a download and a stream of events have no headers of ours.
  const isInAddress = reads && isToken(new URL(url, 'http://inspector').searchParams.get(tokenQuery), token)
  return isInAddress ? undefined : fail('inspector.link')
}

function pathOf(url: string): string {
  return new URL(url, 'http://inspector').pathname
}

function strangeness({ method, headers, url = '/' }: Asked, port: number): string | undefined {
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
  return undefined
}

function isToken(sent: string | readonly string[] | null | undefined, token: string): boolean {
  if (typeof sent !== 'string') return false
  const [a, b] = [Buffer.from(sent), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}
