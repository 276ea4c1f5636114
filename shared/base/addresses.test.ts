import { expect, test } from 'vitest'
import { callerOf, sourceOf } from './addresses.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2:ffff::', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['unknown', 'unknown'],
])('sources: %s counts as %s', (address, source) => {
  expect(sourceOf(address)).toBe(source)
})

const isProxy = (address: string) => address.startsWith('10.')

test.each([
  ['nobody', [], undefined],
  ['undefined when there is no address', ['unknown'], undefined],
  ['the nearest that is not a proxy', ['6.6.6.6', '192.0.2.1', '10.0.0.1'], '192.0.2.1'],
  ['a proxy, when nothing is before it', ['10.0.0.1'], '10.0.0.1'],
  ['no words', ['192.0.2.1', 'me', '10.0.0.1'], '10.0.0.1'],
  ['an IPv4 address in IPv6 as itself', [' ::ffff:192.0.2.1', '::ffff:10.0.0.1'], '192.0.2.1'],
])('the caller is %s', (_what, seen, caller) => {
  expect(callerOf(seen, isProxy)).toBe(caller)
})
