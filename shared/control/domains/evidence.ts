/**
 * What the DNS says about a host, as plain data: gathered by any part that can ask (shared/dns/look.ts), judged by pure
 * rules (verdict.ts). Names are in small letters without a final dot, and values are as in the records.
 */

import { withoutStar } from '../../base/wildcards.ts'

/** Where the TXT record of a host's proof stands; that of a wildcard stands at the name after its asterisk. */
export function proofName(host: string): string {
  return `_ptun.${withoutStar(host)}`
}

/** One server's answer for one name and type. */
export type Seen = {
  /** none: there is no such record; lame: it does not answer for the zone; failed: SERVFAIL; silent: nothing came. */
  readonly kind: 'found' | 'none' | 'lame' | 'failed' | 'silent'
  readonly values: readonly string[]
}

export type ServerView = {
  /** The server's name, or the resolver's address. */
  readonly server: string
  /** TXT at the name of the proof. */
  readonly proof: Seen
  /** CNAME at the host itself, not where it leads. */
  readonly cname: Seen
  /** At the host itself, or, from a resolver, at the end of its aliases. */
  readonly a: Seen
  readonly aaaa: Seen
}

export type Evidence = {
  /** no_zone: nobody has registered the domain; failed: no resolver found out; silent: no resolver spoke at all. */
  readonly outcome: 'seen' | 'no_zone' | 'failed' | 'silent'
  readonly zone: string
  readonly nameServers: readonly string[]
  /** Those that have the zone. */
  readonly servers: readonly ServerView[]
  readonly resolvers: readonly ServerView[]
  /** TXT at the host itself, from one of the zone's servers. */
  readonly texts: readonly string[]
  /** Records at the host's name with the zone appended once more: TXT below `_ptun`, or CNAME. */
  readonly doubled: readonly string[]
  /** Where the host's aliases lead, one after the other. */
  readonly chain: readonly string[]
  readonly chainEnd: 'none' | 'loop' | 'too_long' | 'ends'
  /** `tag value` of the CAA records that apply to the host. */
  readonly caa: readonly string[]
  /** Addresses of the name that the host should lead to. */
  readonly target: readonly string[]
}

export type Inquiry = {
  readonly host: string
  /** The part that its owner has registered: no zone above it is the owner's. */
  readonly domain: string
  /** A name that leads where the host should lead. */
  readonly target: string
}
