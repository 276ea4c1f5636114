/**
 * Connects to a host through a proxy: HTTP CONNECT (RFC 9110 section 9.3.6) by Node's own parser, SOCKS5 (RFC 1928) by
 * a library. Loaded only if a proxy is set. Every failure says that it is the proxy's, what the proxy said, and what to
 * do.
 */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect, isIP, isIPv6, type Socket } from 'node:net'
import { isOutOfTime, sayClock } from '@porttunneler/shared/base/certificate-time'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { sayNetworkError } from '@porttunneler/shared/base/system-errors'
import { formatProxy, type OutboundProxy } from './settings.ts'

export type Destination = { readonly host: string; readonly port: number }
export type ThroughOptions = { readonly clock: Clock; readonly signal: AbortSignal }

/** The proxy asks a name server, dials, and may first ask a directory for the user. */
const proxyMs = 10_000

/**
 * The returned socket is connected to the destination, without a listener, and nothing was read from it.
 * @throws proxy.unreachable, proxy.sign_in, proxy.refused, proxy.target
 */
export async function connectThrough(
  proxy: OutboundProxy,
  destination: Destination,
  { clock, signal }: ThroughOptions,
): Promise<Socket> {
  const abort = new AbortController()
  const onAbort = () => abort.abort()
  signal.throwIfAborted()
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = clock.after(proxyMs, onAbort)
  try {
    const open = proxy.kind === 'http' || proxy.kind === 'https' ? connectByHttp : connectBySocks
    const socket = await open(proxy, destination, abort.signal)
    socket.setNoDelay(true)
    return socket
  } catch (error) {
    signal.throwIfAborted()
    if (isFailure(error)) throw error
    if (!abort.signal.aborted) throw reachFailure(proxy, error, clock.now())
    const why = `did not answer within ${proxyMs / 1_000} s`
    throw fail('proxy.unreachable', `${nameOf(proxy)} ${why}.`, { cause: error })
  } finally {
    timer.clear()
    signal.removeEventListener('abort', onAbort)
  }
}

/** `host:port` for CONNECT, and for people. */
function formatDestination({ host, port }: Destination): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}

/** The value of Proxy-Authorization, if the proxy's address has a user. */
export function proxyAuthorization({ user }: OutboundProxy): Record<string, string> {
  if (!user) return {}
  const text = Buffer.from(`${user.name}:${user.password.reveal()}`).toString('base64')
  return { 'proxy-authorization': `Basic ${text}` }
}

/** The proxy asks for a user and password, or refuses them. */
export function signInFailure(proxy: OutboundProxy): PortTunnelerError {
  const why = proxy.user
    ? 'refuses the user or the password that stands there'
    : 'wants a user and a password'
  return fail('proxy.sign_in', `${nameOf(proxy)} ${why}.`, refusal)
}

/** A certificate that came through a proxy and is not trusted. */
export function interceptionFailure(
  proxy: OutboundProxy,
  destination: Destination,
  cause: Error,
): PortTunnelerError {
  const code = (cause as NodeJS.ErrnoException).code ?? cause.message
  const what = `${formatDestination(destination)} has no certificate we trust when reached through`
  return fail('proxy.intercepts', `${what} ${nameOf(proxy)} (${code}).`, { cause, ...refusal })
}

/** The proxy is missing, or is not what its address says. */
export function reachFailure(proxy: OutboundProxy, cause: unknown, nowMs: number): PortTunnelerError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
  const why =
    proxy.kind === 'https' && /WRONG_VERSION|PACKET_LENGTH|ECONNRESET/.test(code)
      ? `does not speak TLS (${code}); is it an http:// one?`
      : isOutOfTime(cause)
        ? `has a certificate that is not valid now (${code}), or ${sayClock(nowMs)} and is wrong`
        : isTls(code)
          ? `has no certificate we trust (${code}); NODE_EXTRA_CA_CERTS names a file of further authorities`
          : `cannot be reached${sayNetworkError(cause) || ` (${code})`}`
  return fail('proxy.unreachable', `${nameOf(proxy)} ${why}.`, { cause })
}

/** Where Node connects; without it Node would check the proxy's certificate for the name in the request's Host. */
export function proxyPlace({ host, port }: OutboundProxy): {
  readonly host: string
  readonly port: number
  readonly servername: string
} {
  return { host, port, servername: isIP(host) ? '' : host }
}

/** Somebody answered and refused: trying faster is useless (carrier-keeper.ts). */
const refusal = { fields: { isRefusal: true } } as const

function nameOf(proxy: OutboundProxy): string {
  return `The proxy ${formatProxy(proxy)} (${proxy.from})`
}

/** Codes of OpenSSL, and of Node's check of names. */
export function isTls(code: string): boolean {
  return /CERT|SSL|TLS|ALTNAME|SIGNED|ISSUER/.test(code)
}

// --- HTTP ---

function connectByHttp(proxy: OutboundProxy, destination: Destination, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const authority = formatDestination(destination)
    const send = proxy.kind === 'https' ? httpsRequest : httpRequest
    const request = send({
      ...proxyPlace(proxy),
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...proxyAuthorization(proxy) },
      agent: false,
    })
    const onAbort = () => request.destroy(new Error('given up'))
    signal.addEventListener('abort', onAbort, { once: true })
    request.once('error', reject)
    request.once('connect', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      signal.removeEventListener('abort', onAbort)
      request.off('error', reject)
      const status = response.statusCode ?? 0
      if (status >= 200 && status < 300) {
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
        return
      }
      socket.on('error', () => {}).destroy()
      reject(judgeStatus(proxy, { destination, status }))
    })
    request.end()
  })
}

function judgeStatus(
  proxy: OutboundProxy,
  { destination, status }: { destination: Destination; status: number },
): PortTunnelerError {
  if (status === 407) return signInFailure(proxy)
  const said = `${nameOf(proxy)} answered ${status} to CONNECT ${formatDestination(destination)}.`
  return fail(status >= 500 ? 'proxy.target' : 'proxy.refused', said, refusal)
}

// --- SOCKS ---

async function connectBySocks(
  proxy: OutboundProxy,
  destination: Destination,
  signal: AbortSignal,
): Promise<Socket> {
  // Resolved here (socks5) or by the proxy (socks5h), as with curl.
  const host = proxy.kind === 'socks5' ? await addressOf(destination.host) : destination.host
  const { SocksClient } = await import('socks')
  const socket = connect({ host: proxy.host, port: proxy.port, noDelay: true, signal })
  try {
    await once(socket, 'connect', { signal })
    const { user } = proxy
    await SocksClient.createConnection({
      proxy: {
        host: proxy.host,
        port: proxy.port,
        type: 5,
        ...(user && { userId: user.name, password: user.password.reveal() }),
      },
      command: 'connect',
      destination: { host, port: destination.port },
      existing_socket: socket,
      timeout: 2 * proxyMs,
    })
    return socket
  } catch (error) {
    socket.on('error', () => {}).destroy()
    if (signal.aborted || socket.connecting) throw error
    throw judgeReply(proxy, destination, error as Error)
  }
}

async function addressOf(host: string): Promise<string> {
  if (isIP(host)) return host
  try {
    return (await lookup(host)).address
  } catch (cause) {
    throw fail(
      'relay.unreachable',
      `The name ${host} cannot be looked up here${sayNetworkError(cause)}. With socks5h:// the proxy looks it up.`,
      {
        cause,
      },
    )
  }
}

/** The library puts a reply's name into its message. */
function judgeReply(proxy: OutboundProxy, destination: Destination, error: Error): Error {
  const { message } = error
  if ('code' in error && typeof error.code === 'string') return error
  if (/authentication/i.test(message)) return signInFailure(proxy)
  const [, reply] = /rejected connection - (\w+)/.exec(message) ?? []
  if (reply === undefined)
    return fail('proxy.unreachable', `${nameOf(proxy)} does not speak SOCKS5: ${message}.`, { cause: error })
  const said = `${nameOf(proxy)} answered ${reply} for ${formatDestination(destination)}.`
  if (reply === 'NotAllowed') return fail('proxy.refused', said, refusal)
  // A restarting relay is dialled at the pace of a near one (rule 26).
  const cause = reply === 'ConnectionRefused' ? Object.assign(error, { code: 'ECONNREFUSED' }) : error
  return fail('proxy.target', said, { cause, ...refusal })
}
