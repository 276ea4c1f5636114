/** Lists of addresses and networks, as written in settings and tunnels. */
import { BlockList, isIPv6 } from 'node:net'

/** Takes `address` in the form that `plainAddress` returns. */
export type NetworkMatcher = (address: string) => boolean

/**
 * Matches addresses in any of `rules`; an empty list matches nothing.
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
  // Node makes an object outside V8's heap for each check, and one visitor is checked several times in a row.
  let last: { readonly address: string; readonly isIn: boolean } | undefined
  return (address) => {
    if (last?.address !== address)
      last = { address, isIn: list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') }
    return last.isIn
  }
}
