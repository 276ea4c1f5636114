/** The IP rules of a tunnel: deny wins over allow, an empty allow list lets everybody in. */
import { BlockList, isIPv6 } from 'node:net'
import type { Policy } from '@porttunneler/shared/protocol/ticket'

/** True = may connect. `address` is as `plainAddress` gives it. */
export type IpFilter = (address: string) => boolean

const everybody: IpFilter = () => true

/** Compiled once a binding or policy change, asked once a visitor. Rules were checked by `policySchema`. */
export function compileIpFilter({ allow, deny }: Pick<Policy, 'allow' | 'deny'>): IpFilter {
  if (allow.length === 0 && deny.length === 0) return everybody
  const allowed = blockList(allow)
  const denied = blockList(deny)
  return (address) => {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (denied.check(address, family)) return false
    return allow.length === 0 || allowed.check(address, family)
  }
}

/** What matches any of `rules` (addresses or CIDRs); an empty list matches nothing. */
export function compileMatcher(rules: readonly string[]): IpFilter {
  const list = blockList(rules)
  return (address) => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

function blockList(rules: readonly string[]): BlockList {
  const list = new BlockList()
  for (const rule of rules) {
    const [net = '', prefix] = rule.split('/', 2)
    const family = isIPv6(net) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(net, family)
    else list.addSubnet(net, Number(prefix), family)
  }
  return list
}
