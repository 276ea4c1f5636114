/** Looks at hosts in a small DNS on loopback: what is believed, what is not, and that every look ends. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../base/clock.ts'
import { isPublicAddress } from '../base/public-addresses.ts'
import { DnsWorld } from '../testing/dns-world.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { askLimits } from './asker.ts'
import { AskingPace } from './asking-pace.ts'
import { openInquiryDesk } from './look.ts'
import { resolversSchema } from './resolvers.ts'

const host = 'app.example.com'
const inquiry = { host, domain: 'example.com', target: 'x.to.tunnels.example.net' }
const first = '203.0.113.11'
const second = '203.0.113.12'

/** Waits for silent servers for half a second instead of two. */
const clock: Clock = { ...systemClock, after: (ms, fn, options) => systemClock.after(ms / 4, fn, options) }
let world: DnsWorld

function look(asked = inquiry, signal = new AbortController().signal) {
  const { resolvers, reach } = world
  return openInquiryDesk({ resolvers, clock, reach }).look(asked, signal)
}

const proofs = (views: readonly { readonly proof: unknown }[]) => views.map(({ proof }) => proof)
const found = { kind: 'found', values: ['ptun1=abc'] }

describe('a look at a host', () => {
  beforeEach(async () => {
    world = await DnsWorld.open()
    await world.zone('tunnels.example.net', ['x.to A 198.51.100.1', 'x.to AAAA 2001:db8::1'])
    await world.zone(
      'example.com',
      ['app CNAME x.to.tunnels.example.net.', '_ptun.app TXT ptun1=abc'],
      [first, second],
    )
  })
  afterEach(() => world.close())

  test('returns what every server of the zone and every resolver says', async () => {
    const seen = await look()
    expect(seen).toMatchObject({
      outcome: 'seen',
      zone: 'example.com',
      nameServers: ['ns1.example.com', 'ns2.example.com'],
      chain: ['x.to.tunnels.example.net'],
      chainEnd: 'ends',
      target: ['198.51.100.1', '2001:db8::1'],
    })
    expect(proofs(seen.servers)).toEqual([found, found])
    expect(proofs(seen.resolvers)).toEqual([found, found, found])
    expect(seen.servers[0]?.cname).toEqual({ kind: 'found', values: ['x.to.tunnels.example.net'] })
    expect(seen.resolvers[0]?.a.values).toEqual(['198.51.100.1'])
    expect(world.asked.length).toBeLessThanOrEqual(askLimits.questions)
  })

  test('finds a zone that begins below the registered domain', async () => {
    await world.zone('app.example.com', ['_ptun TXT ptun1=inner'])
    const seen = await look()
    expect(seen.zone).toBe('app.example.com')
    expect(seen.servers[0]?.proof.values).toEqual(['ptun1=inner'])
  })

  test('says that nobody has registered the domain', async () => {
    expect((await look({ ...inquiry, host: 'app.nobody.test', domain: 'nobody.test' })).outcome).toBe(
      'no_zone',
    )
  })

  test.each(['servfail', 'refused', 'no_authority', 'garbage'] as const)(
    'tells a server that is %s from one without the record',
    async (behaviour) => {
      world.behave(first, behaviour)
      const { servers } = await look()
      const kinds = { servfail: 'failed', refused: 'lame', no_authority: 'lame', garbage: 'silent' }
      expect(servers.map(({ proof }) => proof.kind)).toEqual([kinds[behaviour], 'found'])
    },
  )

  test.each(['only_tcp', 'lower_case', 'giant'] as const)(
    'gets by TCP what does not come by UDP: %s',
    async (behaviour) => {
      world.behave(first, behaviour)
      const seen = await look()
      expect(seen.servers[0]?.proof.values).toContain('ptun1=abc')
      expect(world.asked.some((line) => line.startsWith(`${first} tcp`))).toBe(true)
    },
  )

  test('does not believe an answer with another id', async () => {
    world.behave(first, 'forged')
    world.behave(second, 'forged')
    expect(proofs((await look()).servers)).toEqual([found, found])
  })

  test('goes to the next resolver when the first is silent or fails', async () => {
    world.behave('resolver 0', 'servfail')
    expect((await look()).outcome).toBe('seen')
    world.behave('resolver 1', 'servfail')
    world.behave('resolver 2', 'servfail')
    expect((await look()).outcome).toBe('failed')
  })

  test('follows aliases, and stops at a loop and after eight', async () => {
    await world.zone('loop.example', ['a CNAME b', 'b CNAME c', 'c CNAME a'])
    const loop = await look({ ...inquiry, host: 'a.loop.example', domain: 'loop.example' })
    expect(loop).toMatchObject({
      chainEnd: 'loop',
      chain: ['b.loop.example', 'c.loop.example', 'a.loop.example'],
    })
    await world.zone(
      'long.example',
      Array.from({ length: 12 }, (_, n) => `n${n} CNAME n${n + 1}`),
    )
    const long = await look({ ...inquiry, host: 'n0.long.example', domain: 'long.example' })
    expect(long.chainEnd).toBe('too_long')
  })

  test('finds records in the wrong place, and the CAA records that count', async () => {
    const lines = [
      'app TXT ptun1=abc',
      '_ptun.app.example.com TXT ptun1=abc',
      '@ CAA other.example',
      'app A 192.0.2.9',
    ]
    await world.zone('example.com', lines, [first])
    const seen = await look()
    expect(seen).toMatchObject({ texts: ['ptun1=abc'], doubled: ['ptun1=abc'], caa: ['issue other.example'] })
  })

  test('copes with a hundred records at one name', async () => {
    await world.zone(
      'example.com',
      Array.from({ length: 100 }, (_, n) => `_ptun.app TXT other=${n}`),
      [first],
    )
    expect((await look()).servers[0]?.proof.values).toHaveLength(100)
  })

  test('asks no server of a zone where the word of resolvers is enough', async () => {
    world.asked.length = 0
    const desk = openInquiryDesk({ resolvers: world.resolvers, trustResolvers: true, clock })
    const { servers, outcome } = await desk.look(inquiry, new AbortController().signal)
    expect([outcome, ...proofs(servers)]).toEqual(['seen', found, found, found])
    expect(world.asked.every((line) => line.startsWith('resolver'))).toBe(true)
  })

  test('asks no address that is not public, whatever a zone names', async () => {
    const desk = openInquiryDesk({ resolvers: world.resolvers, clock })
    const { servers } = await desk.look(inquiry, new AbortController().signal)
    expect(proofs(servers)).toEqual(Array(2).fill({ kind: 'silent', values: [] }))
    expect(world.asked.some((line) => line.startsWith(first))).toBe(false)
  })

  test('ends after 15 seconds, and at once when it is aborted', async () => {
    for (const who of ['resolver 0', 'resolver 1', 'resolver 2']) world.behave(who, 'silent')
    const moved = new FakeClock()
    const desk = openInquiryDesk({ resolvers: world.resolvers, clock: moved, reach: world.reach })
    const running = desk.look(inquiry, new AbortController().signal)
    moved.advance(askLimits.lookMs)
    expect((await running).outcome).toBe('silent')
    const stop = new AbortController()
    const stopped = desk.look(inquiry, stop.signal)
    stop.abort()
    expect((await stopped).outcome).toBe('silent')
    expect(moved.pending).toBe(0)
  })
})

test.each([
  ['1.1.1.1', [{ address: '1.1.1.1', port: 53 }]],
  ['127.0.0.1:5353 [2620:fe::fe]:54,2620:fe::9', ['127.0.0.1:5353', '2620:fe::fe:54', '2620:fe::9:53']],
  [undefined, ['1.1.1.1:53', '8.8.8.8:53', '9.9.9.9:53']],
  ['resolver.example.com', 'refused'],
  ['1.1.1.1:0', 'refused'],
  ['1.1.1.1:99999', 'refused'],
  ['', 'refused'],
])('settings name resolvers: %s', (text, expected) => {
  const read = resolversSchema.safeParse(text)
  if (expected === 'refused') return expect(read.success).toBe(false)
  const peers = (read.data ?? []).map(({ address, port }) => `${address}:${port}`)
  expect(peers).toEqual(
    [expected].flat().map((one) => (typeof one === 'string' ? one : `${one.address}:${one.port}`)),
  )
})

test('a zone and an address are asked so often a minute, and no more', () => {
  const pace = new AskingPace()
  const ask = (zone: string, address: string, nowMs = 0) => pace.allows({ zone, address }, nowMs)
  const ofOne = Array.from({ length: 300 }, () => ask('example.com', first)).filter(Boolean)
  expect(ofOne).toHaveLength(240)
  expect(ask('example.org', first)).toBe(true)
  expect(ask('example.com', second)).toBe(false)
  expect(ask('example.com', second, 60_000)).toBe(true)
  const zones = Array.from({ length: 700 }, (_, n) => ask(`z${n}`, second, 120_000)).filter(Boolean)
  expect(zones).toHaveLength(600)
})

test.each([
  ['8.8.8.8', true],
  ['2606:4700::1111', true],
  ['127.0.0.1', false],
  ['10.1.2.3', false],
  ['169.254.169.254', false],
  ['100.100.100.200', false],
  ['::1', false],
  ['::ffff:10.0.0.1', false],
  ['64:ff9b::a00:1', false],
  ['2002:0a00:0001::', false],
  ['fe80::1%eth0', false],
  ['fd00::1', false],
  ['255.255.255.255', false],
  ['ns1.example.com', false],
])('%s is public: %s', (address, isPublic) => expect(isPublicAddress(address)).toBe(isPublic))
