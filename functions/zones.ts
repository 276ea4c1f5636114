/** Who maintains the zones in which the cells stand. */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { noDns } from '@porttunneler/shared/control/own-records'
import type { Dns } from '@porttunneler/shared/control/platform'
import { openCloudflareDns } from '@porttunneler/shared/dns/cloudflare'
import { textsServed } from '@porttunneler/shared/dns/served'
import type { Settings } from './settings.ts'

/**
 * Only functions that write get the token. The others have to know that somebody writes: what they tell people and
 * relays (the record by which a domain gets its certificate, the wildcard that covers a name) depends on it.
 */
export function openZones(
  { cloudflareToken: token, resolvers, dns }: Pick<Settings, 'cloudflareToken' | 'resolvers' | 'dns'>,
  clock: Clock,
): Dns {
  if (token) return openCloudflareDns({ token, clock, isServed: textsServed({ resolvers, clock }) })
  return dns === 'cloudflare' ? writtenElsewhere : noDns
}

const refuse = () => Promise.reject(fail('dns.refused', 'this function has no token'))
const writtenElsewhere: Dns = { kind: 'cloudflare', keep: refuse, put: refuse, remove: refuse }
