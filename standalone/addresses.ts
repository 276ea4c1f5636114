/** Where a request came from, as far as that can be believed: rate limits and audit entries depend on it. */
import { callerOf, plainAddress } from '@porttunneler/shared/base/addresses'
import { connectingAddress, type TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import type { Context } from 'hono'

/**
 * Returns the address at the other end of the connection or, if that is one of `proxies`, the one that it names.
 * @param proxies those whose X-Forwarded-For is believed; Cloudflare's CF-Connecting-IP
 */
export function addressReader(proxies: TrustedProxies): (context: Context) => string {
  return (context) => {
    const peer = plainAddress(peerOf(context))
    const said = context.req.header('x-forwarded-for')?.split(',') ?? []
    const caller = callerOf([...said, peer], proxies.isOwn) ?? peer
    if (!proxies.isCloudflare(caller)) return caller
    return connectingAddress(context.req.header('cf-connecting-ip')) ?? caller
  }
}

/**
 * Whether the browser used HTTPS, to this server or to one of `proxies`. Nobody else is believed: a cookie wrongly
 * marked `Secure` is lost on a plain connection.
 */
export function httpsReader(proxies: TrustedProxies): (context: Context) => boolean {
  return (context) => {
    if (new URL(context.req.url).protocol === 'https:') return true
    // With several proxies, the first one saw the browser.
    const [said] = context.req.header('x-forwarded-proto')?.split(',', 1) ?? []
    return said?.trim().toLowerCase() === 'https' && proxies.knows(plainAddress(peerOf(context)))
  }
}

/** What the server adapter passes on about the connection. */
type NodeBindings = { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } }

function peerOf({ env }: Context): string {
  const { incoming }: NodeBindings = env
  return incoming?.socket?.remoteAddress ?? ''
}
