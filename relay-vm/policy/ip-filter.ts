/** The IP rules of a tunnel: deny wins over allow, an empty allow list lets everybody in. */
import { compileMatcher, type NetworkMatcher } from '@porttunneler/shared/base/networks'
import type { Policy } from '@porttunneler/shared/protocol/ticket'

/** True = may connect. */
export type IpFilter = NetworkMatcher

const everybody: IpFilter = () => true

/** Compiled once for a binding or policy change, used for each visitor. `policySchema` has checked the rules. */
export function compileIpFilter({ allow, deny }: Pick<Policy, 'allow' | 'deny'>): IpFilter {
  if (allow.length === 0 && deny.length === 0) return everybody
  const isAllowed = compileMatcher(allow)
  const isDenied = compileMatcher(deny)
  return (address) => !isDenied(address) && (allow.length === 0 || isAllowed(address))
}
