/**
 * Addresses that a stranger may make us send a question to: those of the public internet. The owner of a domain names
 * its servers, and could name machines behind our own firewall. Source: IANA's special-purpose registries.
 */
import { isIP } from 'node:net'
import { plainAddress } from './addresses.ts'
import { compileMatcher } from './networks.ts'

const special = compileMatcher([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
])
/** Assigned to networks; the rest of IPv6 is local, reserved or a mapping of something else. */
const handedOut = compileMatcher(['2000::/3'])
const specialWithin = compileMatcher([
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '2620:4f:8000::/48',
])

export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address)
  switch (isIP(plain)) {
    case 4:
      return !special(plain)
    case 6:
      return handedOut(plain) && !specialWithin(plain)
    default:
      return false
  }
}
