/** Visitor addresses: one spelling for each, and the network that counts as one source of connections. */
import { isIP, isIPv6 } from 'node:net'
import type { NetworkMatcher } from './networks.ts'

/** An IPv4 address of a dual-stack socket loses its `::ffff:`, so that IPv4 rules see it; a zone id goes. */
export function plainAddress(address: string): string {
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
 * Who an address belongs to, the larger holder first: /24 and address, or /48 and /64, of which one customer may have
 * very many.
 */
export function sourcePath(address: string): readonly string[] {
  if (!isIPv6(address)) return [sourceNetwork(address), address]
  return [`${groupsOf(address).slice(0, 3).join(':')}::/48`, sourceNetwork(address)]
}

/**
 * Who called, past proxies. Every one of them appends the address that it saw, so the list is walked from its end over
 * those that are trusted; the first other one is the caller's. What stands before that, and what is no address, is only
 * the caller's word.
 * @param seen the nearest last
 * @returns undefined when nothing in it can be believed
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

/** What limits count an address as: itself, or the /64 of an IPv6 one, which one caller has whole. */
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
