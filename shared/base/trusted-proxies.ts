/**
 * The proxies in front that an operator trusts, as settings list them: addresses, networks, and `cloudflare` for a
 * service that publishes its networks. Proxies of the operator's own are believed about the whole way of a request;
 * Cloudflare carries requests of everybody who has an account there, so it is believed only in the field that its
 * customers cannot set, CF-Connecting-IP. docs/decisions/0070-in-front-of-us.md
 */
import { isIP } from 'node:net'
import { plainAddress } from './addresses.ts'
import { compileMatcher, type NetworkMatcher } from './networks.ts'

/** How settings name it. */
const cloudflareName = 'cloudflare'

/** Cloudflare's networks when this release was made: the start, until newer ones are known. */
export const cloudflareNetworks: readonly string[] = [
  '103.21.244.0/22',
  '103.22.200.0/22',
  '103.31.4.0/22',
  '104.16.0.0/13',
  '104.24.0.0/14',
  '108.162.192.0/18',
  '131.0.72.0/22',
  '141.101.64.0/18',
  '162.158.0.0/15',
  '172.64.0.0/13',
  '173.245.48.0/20',
  '188.114.96.0/20',
  '190.93.240.0/20',
  '197.234.240.0/22',
  '198.41.128.0/17',
  '2400:cb00::/32',
  '2405:8100::/32',
  '2405:b500::/32',
  '2606:4700::/32',
  '2803:f800::/32',
  '2a06:98c0::/29',
  '2c0f:f248::/32',
]

const nobody: NetworkMatcher = () => false

export class TrustedProxies {
  /** The addresses and networks that are listed themselves. */
  readonly own: readonly string[]
  readonly isOwn: NetworkMatcher
  readonly hasCloudflare: boolean
  #isCloudflare: NetworkMatcher

  /** @param listed addresses, CIDRs and `cloudflare`, which a schema has checked */
  constructor(listed: readonly string[]) {
    this.own = listed.filter((entry) => entry !== cloudflareName)
    this.isOwn = this.own.length > 0 ? compileMatcher(this.own) : nobody
    this.hasCloudflare = listed.includes(cloudflareName)
    this.#isCloudflare = this.hasCloudflare ? compileMatcher(cloudflareNetworks) : nobody
  }

  /** Takes Cloudflare's present networks; undefined: there is no newer list. */
  learn(networks: readonly string[] | undefined): void {
    if (this.hasCloudflare && networks) this.#isCloudflare = compileMatcher(networks)
  }

  /** Whether an address of Cloudflare's is believed: false for all while the settings do not name it. */
  isCloudflare(address: string): boolean {
    return this.#isCloudflare(address)
  }

  /** Whether the address is a proxy's. It takes the form that `plainAddress` returns. */
  knows(address: string): boolean {
    return this.isOwn(address) || this.#isCloudflare(address)
  }
}

/** The one address in a CF-Connecting-IP field; undefined: there is none, or several, or something else. */
export function connectingAddress(field: string | undefined): string | undefined {
  const address = plainAddress(field?.trim() ?? '').toLowerCase()
  return isIP(address) === 0 ? undefined : address
}
