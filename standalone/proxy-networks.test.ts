/** Cloudflare's networks: asked for while a relay trusts it, and never believed when they are implausible. */
import { fail } from '@porttunneler/shared/base/errors'
import { cloudflareNetworks } from '@porttunneler/shared/base/trusted-proxies'
import { faultOf } from '@porttunneler/shared/control/proxy-networks'
import { describe, expect, test } from 'vitest'
import { makeTestControl } from './testing/control.ts'

const hours = 3_600_000
const without = cloudflareNetworks.filter((network) => network !== '131.0.72.0/22')
const trusting = { proxies: ['cloudflare'] }

describe('what is not believed', () => {
  test.each([
    ['nothing', []],
    ['a few', ['104.16.0.0/13', '172.64.0.0/13']],
    ['the world', [...cloudflareNetworks, '0.0.0.0/0']],
    ['the world in halves', [...cloudflareNetworks, '0.0.0.0/1', '128.0.0.0/1']],
    ['the world of IPv6', [...cloudflareNetworks, '::/0']],
    ['half of the present IPv6', [...cloudflareNetworks, '2000::/4']],
    ['addresses without a prefix', cloudflareNetworks.map((network) => network.split('/')[0] ?? '')],
    ['a private network', [...cloudflareNetworks, '10.0.0.0/16']],
    ['loopback', [...cloudflareNetworks, '127.0.0.1/32']],
    ['private addresses within public ones', [...cloudflareNetworks, '172.0.0.0/10']],
    ['IPv4 in IPv6', [...cloudflareNetworks, '::ffff:0:0/96']],
    ['a fifth of the internet in pieces', Array.from({ length: 50 }, (_, n) => `${n + 20}.64.0.0/10`)],
    ['more than anybody has', Array.from({ length: 201 }, (_, n) => `104.16.${n}.0/24`)],
    ['much less than before', [...cloudflareNetworks.filter((one) => !one.endsWith('/13')), '104.16.0.0/24']],
    ['IPv6 alone', cloudflareNetworks.filter((network) => network.includes(':'))],
  ])('%s', (_, networks) => {
    expect(faultOf(networks, cloudflareNetworks)).toBeTypeOf('string')
  })

  test('the list of today, one network less and one more are', () => {
    expect(faultOf(cloudflareNetworks, cloudflareNetworks)).toBeUndefined()
    expect(faultOf(without, cloudflareNetworks)).toBeUndefined()
    expect(faultOf([...cloudflareNetworks, '8.6.112.0/24'], cloudflareNetworks)).toBeUndefined()
  })
})

test('nobody is asked while no relay trusts Cloudflare; then relays get what is new', async () => {
  let asked = 0
  let said: readonly string[] = without
  const t = makeTestControl({
    askNetworks: async () => {
      asked++
      return said
    },
  })
  try {
    await t.openCell()
    await t.runJobs()
    expect(asked).toBe(0)
    expect((await t.sync()).proxyNetworks).toBeUndefined()
    expect((await t.sync(trusting)).proxyNetworks, 'the release knows the newest').toBeUndefined()
    t.clock.advance(6 * hours)
    await t.sync(trusting)
    await t.runJobs()
    expect(asked).toBe(1)
    t.clock.advance(60_000)
    expect((await t.sync(trusting)).proxyNetworks?.cloudflare).toEqual(without.toSorted())
    expect((await t.sync()).proxyNetworks, 'a relay that does not trust it need not know').toBeUndefined()
    said = ['0.0.0.0/0']
    t.clock.advance(6 * hours)
    await t.sync(trusting)
    await t.runJobs()
    expect(asked).toBe(2)
    t.clock.advance(60_000)
    expect((await t.sync(trusting)).proxyNetworks?.cloudflare).toEqual(without.toSorted())
  } finally {
    await t.close()
  }
})

test('when Cloudflare does not answer, the last good list stays and it is tried again', async () => {
  let isUp = false
  const t = makeTestControl({
    askNetworks: async () => {
      if (!isUp) throw fail('proxies.unavailable')
      return without
    },
  })
  try {
    await t.openCell({})
    await t.sync(trusting)
    await t.runJobs()
    isUp = true
    t.clock.advance(2 * hours)
    await t.sync(trusting)
    await t.runJobs()
    t.clock.advance(60_000)
    expect((await t.sync(trusting)).proxyNetworks?.cloudflare).toEqual(without.toSorted())
  } finally {
    await t.close()
  }
})
