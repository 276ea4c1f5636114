/** Lists of addresses and networks, as settings and tunnels name them. */
import { BlockList, isIPv6 } from 'node:net'

/** `address` is as `plainAddress` gives it. */
export type NetworkMatcher = (address: string) => boolean

/**
 * What matches any of `rules`; an empty list matches nothing.
 * @param rules addresses or CIDRs that a schema has checked
 */
export function compileMatcher(rules: readonly string[]): NetworkMatcher {
  const list = new BlockList()
  for (const rule of rules) {
    const [net = '', prefix] = rule.split('/', 2)
    const family = isIPv6(net) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(net, family)
    else list.addSubnet(net, Number(prefix), family)
  }
  return (address) => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
