/** Where a request came from, as far as it can be believed: rate limits and audit entries depend on it. */
import type { Context } from 'hono'

/**
 * The address at the other end of the connection. With `isProxied`, and only when that is this machine itself, the last
 * one that the proxy added to X-Forwarded-For: what stands before it was said by strangers.
 */
export function addressReader({ isProxied }: { isProxied: boolean }): (context: Context) => string {
  return (context) => {
    const peer = plainAddress(peerOf(context))
    if (!isProxied || !isLocal(peer)) return peer
    const forwarded = context.req.header('x-forwarded-for')?.split(',').at(-1)?.trim()
    return forwarded || peer
  }
}

/** What the server adapter hands on of the connection. */
type NodeBindings = { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } }

function peerOf({ env }: Context): string {
  const { incoming }: NodeBindings = env
  return incoming?.socket?.remoteAddress ?? ''
}

/** An IPv4 visitor of a socket that takes both families shows as ::ffff:a.b.c.d. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '')
}

function isLocal(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
