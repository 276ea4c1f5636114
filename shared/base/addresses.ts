/** Visitor addresses: one spelling for each, and the network that counts as one source of connections. */
import { isIP, isIPv6 } from 'node:net'
import type { NetworkMatcher } from './networks.ts'

/** An IPv4 address of a dual-stack socket loses its `::ffff:`, so that IPv4 rules match it. A zone id is removed. */
export function plainAddress(address: string): string {
  // Nearly all are IPv4 at a socket that is not dual-stack.
  if (!address.includes(':') && !address.includes('%')) return address
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)
  return mapped?.[1] ?? address.split('%', 1)[0] ?? address
}

/**
 * The /24 of an IPv4 address, the /64 of an IPv6 one: what one subscriber usually has.
 * @param address as `plainAddress` gives it
 */
export function sourceNetwork(address: string): string {
  if (!isIPv6(address)) return `${address.slice(0, address.lastIndexOf('.'))}.0/24`
  return `${groupsOf(address).slice(0, 4).join(':')}::/64`
}

/**
 * The networks that an address belongs to, largest first: /24 and address, or /48 and /64 (one customer may have very
 * many /64s).
 */
export function sourcePath(address: string): readonly string[] {
  // One visitor's is asked for at each step of its admission.
  if (lastPath?.address !== address) lastPath = { address, path: newSourcePath(address) }
  return lastPath.path
}

let lastPath: { readonly address: string; readonly path: readonly string[] } | undefined

function newSourcePath(address: string): readonly string[] {
  if (!isIPv6(address)) return [sourceNetwork(address), address]
  return [`${groupsOf(address).slice(0, 3).join(':')}::/48`, sourceNetwork(address)]
}

/**
 * Finds the caller behind proxies. Each proxy appends the address that it saw, so this walks the list from its end past
 * the trusted ones; the next address is the caller's. Everything before it, and everything that is not an address, is
 * only the caller's word.
 * @param seen the nearest last
 * @returns undefined when no entry can be believed
 */
export function callerOf(seen: readonly string[], isTrusted: NetworkMatcher): string | undefined {
  let caller: string | undefined
  for (const text of seen.toReversed()) {
    const address = plainAddress(text.trim())
    if (isIP(address) === 0) break
    caller = address
    if (!isTrusted(address)) break
  }
  return caller
}

/** Whether it is one, and not a word such as `unknown`. @param address as `plainAddress` gives it */
export function isAddress(address: string): boolean {
  return isIP(address) !== 0
}

/** The unit that limits count by: an IPv4 address itself, or the /64 of an IPv6 one, since one caller has all of it. */
export function sourceOf(address: string): string {
  const plain = plainAddress(address)
  return isIPv6(plain) ? sourceNetwork(plain) : plain
}

/** The eight groups of an IPv6 address without leading zeros, `::` written out. */
function groupsOf(address: string): readonly string[] {
  const [head = '', tail] = address.toLowerCase().split('::', 2)
  const front = head === '' ? [] : head.split(':')
  if (tail === undefined) return front.map(shorten)
  const back = tail === '' ? [] : tail.split(':')
  const dotted = back.at(-1)?.includes('.') ? 1 : 0
  const gap = Math.max(0, 8 - front.length - back.length - dotted)
  return [...front, ...Array<string>(gap).fill('0'), ...back].map(shorten)
}

function shorten(group: string): string {
  return group.replace(/^0+(?=.)/, '')
}
