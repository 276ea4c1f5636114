/** A function without the token knows whether the zones are written, and writes nothing itself. */
import { Secret } from '@porttunneler/shared/base/secret'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expect, test } from 'vitest'
import { openZones } from './zones.ts'

const clock = new FakeClock()
const cloudflareToken = new Secret('x'.repeat(40))
const resolvers: [] = []

test.each([
  ['nobody writes', { resolvers, dns: 'none' }, 'none'],
  ['others write', { resolvers, dns: 'cloudflare' }, 'cloudflare'],
  ['this one writes', { resolvers, dns: 'cloudflare', cloudflareToken }, 'cloudflare'],
  ['this one writes, as before the setting', { resolvers, dns: 'none', cloudflareToken }, 'cloudflare'],
] as const)('%s', (_, settings, kind) => {
  expect(openZones(settings, clock).kind).toBe(kind)
})

test('without a token every write is refused, and none is lost silently', async () => {
  const zones = openZones({ resolvers, dns: 'cloudflare' }, clock)
  const { signal } = new AbortController()
  const refused = { key: 'dns.refused' }
  await expect(zones.keep([], signal)).rejects.toMatchObject(refused)
  await expect(zones.put('a.example.com', 'x', signal)).rejects.toMatchObject(refused)
  await expect(zones.remove('a.example.com', 'x', signal)).rejects.toMatchObject(refused)
})
