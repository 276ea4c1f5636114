/**
 * The local address that the agent dials for a visitor, as a user writes it: `3000`, `localhost:3000`, `[::1]:3000`,
 * `https://localhost:8443`, `unix:/run/app.sock`. Strict, because a slip shows only when the first visitor comes.
 */
import { isIP, isIPv6 } from 'node:net'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'

export type PortUpstream = {
  readonly host: string
  readonly port: number
  /** The agent uses TLS with it; http tunnels only. */
  readonly isTls?: true
}
export type SocketUpstream = { readonly path: string }
export type Upstream = PortUpstream | SocketUpstream

/** The size of the kernel's socket address, with its final zero: Linux has 108, macOS 104. */
const socketPathBytesMax = process.platform === 'linux' ? 107 : 103

/** @throws cli.upstream with what is wrong and how it should look */
export function parseUpstream(text: string): Upstream {
  const value = text.trim()
  if (value.startsWith('unix:')) return parseSocket(value)
  const secure = /^https:\/\/([^/?#@]+)\/?$/i.exec(value)?.[1]
  if (secure !== undefined) return parseSecure(secure, value)
  return parseHostAndPort(value)
}

function parseSecure(authority: string, whole: string): PortUpstream {
  const hasPort = /:\d*$/.test(authority) && !isIPv6(authority)
  const { host, port } = parseHostAndPort(hasPort ? authority : `${authority}:443`, whole)
  return { host, port, isTls: true }
}

function parseHostAndPort(value: string, whole = value): PortUpstream {
  if (/^\d+$/.test(value)) return { host: 'localhost', port: parsePort(value, whole) }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(value)) throw refuse(whole, suggestion(value))
  if (isIPv6(value)) throw refuse(whole, `write an IPv6 address in brackets, as in [${value}]:3000`)
  const match = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(value)
  if (!match) throw refuse(whole, 'a port is missing, as in localhost:3000')
  const [, rawHost = '', rawPort = ''] = match
  if (rawHost === '') throw refuse(whole, `write ${rawPort || '3000'} or localhost:${rawPort || '3000'}`)
  const port = parsePort(rawPort, whole)
  if (rawHost.startsWith('[')) {
    const host = rawHost.slice(1, -1)
    if (!isIPv6(host)) throw refuse(whole, 'what stands in brackets is not an IPv6 address')
    return { host, port }
  }
  if (!isIP(rawHost) && !isHostName(rawHost)) throw refuse(whole, `${rawHost} is not a host name`)
  return { host: rawHost.toLowerCase(), port }
}

function parseSocket(value: string): SocketUpstream {
  const path = value.slice('unix:'.length)
  if (!path.startsWith('/') || path.endsWith('/'))
    throw refuse(value, 'unix: is followed by the whole path of a socket, as in unix:/run/app.sock')
  if (path.includes('\0') || Buffer.byteLength(path) > socketPathBytesMax)
    throw refuse(value, `the path of a socket has at most ${socketPathBytesMax} bytes`)
  return { path }
}

/** As the user writes it, and as it is shown everywhere. */
export function formatUpstream(upstream: Upstream): string {
  if ('path' in upstream) return `unix:${upstream.path}`
  return `${upstream.isTls ? 'https://' : ''}${authorityOf(upstream)}`
}

/** What the upstream would call itself in a Host field. A socket has no name. */
export function authorityOf(upstream: Upstream): string {
  if ('path' in upstream) return 'localhost'
  const { host, port } = upstream
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

function parsePort(text: string, whole: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535)
    throw refuse(whole, `${text || 'nothing'} is not a port (1 to 65535)`)
  return port
}

/**
 * RFC 1123 labels, and underscores, which container networks use. All digits at the end means a mistyped IPv4 address.
 */
function isHostName(text: string): boolean {
  const labels = text.split('.')
  return (
    text.length <= 253 &&
    labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label)) &&
    !/^\d+$/.test(labels.at(-1) ?? '')
  )
}

function suggestion(url: string): string {
  try {
    const { hostname, port, protocol } = new URL(url)
    if (protocol === 'https:') return `leave out the path: https://${hostname}${port ? `:${port}` : ''}`
    return `leave out the scheme and the path: ${hostname}:${port || '80'}`
  } catch {
    return 'leave out the scheme and the path, as in localhost:3000'
  }
}

function refuse(value: string, why: string): PortTunnelerError {
  return fail('cli.upstream', `"${value}" is not an upstream: ${why}.`)
}
