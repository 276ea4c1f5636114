/**
 * The local address that the agent dials for a visitor, as a user writes it: `3000`, `localhost:3000`, `[::1]:3000`.
 * Strict, because a slip here shows only when the first visitor comes.
 */
import { isIP, isIPv6 } from 'node:net'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'

export type Upstream = { readonly host: string; readonly port: number }

/** @throws cli.upstream with what is wrong and how it should look */
export function parseUpstream(text: string): Upstream {
  const value = text.trim()
  if (/^\d+$/.test(value)) return { host: 'localhost', port: parsePort(value, value) }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(value)) throw refuse(value, suggestion(value))
  if (isIPv6(value)) throw refuse(value, `write an IPv6 address in brackets, as in [${value}]:3000`)
  const match = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(value)
  if (!match) throw refuse(value, 'a port is missing, as in localhost:3000')
  const [, rawHost = '', rawPort = ''] = match
  if (rawHost === '') throw refuse(value, `write ${rawPort || '3000'} or localhost:${rawPort || '3000'}`)
  const port = parsePort(rawPort, value)
  if (rawHost.startsWith('[')) {
    const host = rawHost.slice(1, -1)
    if (!isIPv6(host)) throw refuse(value, 'what stands in brackets is not an IPv6 address')
    return { host, port }
  }
  if (!isIP(rawHost) && !isHostName(rawHost)) throw refuse(value, `${rawHost} is not a host name`)
  return { host: rawHost.toLowerCase(), port }
}

export function formatUpstream({ host, port }: Upstream): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

function parsePort(text: string, whole: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535)
    throw refuse(whole, `${text || 'nothing'} is not a port (1 to 65535)`)
  return port
}

/** RFC 1123 labels, and underscores, which container networks use. All digits at the end: a mistyped IPv4 address. */
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
    const known = port || (protocol === 'https:' ? '443' : '80')
    return `leave out the scheme and the path: ${hostname}:${known}`
  } catch {
    return 'leave out the scheme and the path, as in localhost:3000'
  }
}

function refuse(value: string, why: string): PortTunnelerError {
  return fail('cli.upstream', `"${value}" is not an upstream: ${why}.`)
}
