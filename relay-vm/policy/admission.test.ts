import { plainAddress, sourceNetwork, sourcePath } from '@porttunneler/shared/base/addresses'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Admission, type AdmissionLimits, type AdmissionSubject } from './admission.ts'
import { FairRates } from './fair-rates.ts'
import { compileIpFilter } from './ip-filter.ts'

const limits: AdmissionLimits = {
  source: { perMinute: 60, burst: 2 },
  account: { perMinute: 60, burst: 3 },
  exempt: ['127.0.0.0/8'],
}
const policy = { allow: [], deny: [], connectionsMax: 5, connectionsPerMinute: 60 }
const subject = (changes: Partial<AdmissionSubject> = {}): AdmissionSubject => ({
  tunnel: 'tun_a',
  account: 'acc_a',
  policy,
  ...changes,
})

describe('rates', () => {
  test('allow their burst at once, then the rate, and never more than the burst after a pause', () => {
    const clock = new FakeClock()
    const buckets = new FairRates(clock, { keysMax: 10 })
    const rate = { perMinute: 60, burst: 3 }
    const takeAll = () => Array.from({ length: 5 }, () => buckets.take('k', rate)).filter(Boolean).length
    expect(takeAll()).toBe(3)
    clock.advance(1_000)
    expect(takeAll()).toBe(1)
    clock.advance(3_600_000)
    expect(takeAll()).toBe(3)
  })

  test('strangers cannot grow the map: the one untouched for longest is dropped', () => {
    const buckets = new FairRates(new FakeClock(), { keysMax: 4 })
    const rate = { perMinute: 1, burst: 1 }
    expect(buckets.take('a', rate)).toBe(true)
    for (const key of ['b', 'c', 'a', 'd', 'e', 'a']) buckets.take(key, rate)
    expect(buckets.size).toBeLessThanOrEqual(5)
    expect(buckets.take('a', rate), 'touched again, so still known').toBe(false)
    expect(buckets.take('b', rate), 'forgotten').toBe(true)
  })

  test.each([
    ['a million keys', 1_000_000, 1_000_000, 1],
    ['a few keys with very many users', 15, 200_000, 3],
  ])('of %s not all are remembered, but a user that comes again is', (_what, keys, takes, depth) => {
    const buckets = new FairRates(new FakeClock(), { keysMax: 50_000 })
    const regular = () => buckets.take('regular', { perMinute: 60, burst: 4 }, ['a', 'b', 'c'])
    let [keysHeld, usersHeld] = [0, 0]
    for (let n = 0; n < takes; n++) {
      const user = [`${n % 997}`, `${n % 991}`, `${n}`].slice(-depth)
      buckets.take(`${n % keys}`, { perMinute: 6e6, burst: 6e6 }, user)
      if (n % 1_000 === 0) regular()
      keysHeld = Math.max(keysHeld, buckets.size)
      usersHeld = Math.max(usersHeld, buckets.users)
    }
    expect(keysHeld).toBeLessThanOrEqual(50_001)
    expect(usersHeld).toBeLessThanOrEqual(120_000)
    expect(regular()).toBe(false)
  })
})

describe('addresses', () => {
  test.each([
    ['192.0.2.77', '192.0.2.0/24'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0db8:0000:0001:ffff::1', '2001:db8:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ])('%s is of %s', (address, network) => expect(sourceNetwork(address)).toBe(network))

  test('an IPv4 visitor on a dual-stack socket is an IPv4 visitor; a zone is not part of an address', () => {
    expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(plainAddress('::FFFF:192.0.2.1')).toBe('192.0.2.1')
    expect(plainAddress('fe80::1%eth0')).toBe('fe80::1')
    expect(plainAddress('2001:db8::1')).toBe('2001:db8::1')
  })

  test('an IPv6 customer counts by /48, and in it by /64; an IPv4 one by /24, and in it by address', () => {
    expect(sourcePath('2001:db8:1:2::3')).toEqual(['2001:db8:1::/48', '2001:db8:1:2::/64'])
    expect(sourcePath('192.0.2.7')).toEqual(['192.0.2.0/24', '192.0.2.7'])
  })

  test('addresses of one /64 are one source however they are written', () => {
    const group = fc.integer({ min: 0, max: 0xffff })
    fc.assert(
      fc.property(fc.array(group, { minLength: 4, maxLength: 4 }), group, (head, last) => {
        const hex = head.map((value) => value.toString(16))
        const padded = hex.map((value) => value.padStart(4, '0'))
        expect(sourceNetwork(`${padded.join(':')}:0:0:0:${last.toString(16)}`)).toBe(
          sourceNetwork(`${hex.join(':')}::${last.toString(16)}`),
        )
      }),
    )
  })
})

describe('ip filter', () => {
  test.each([
    [[], [], '192.0.2.1', true],
    [['192.0.2.0/24'], [], '192.0.2.1', true],
    [['192.0.2.0/24'], [], '198.51.100.1', false],
    [['192.0.2.0/24'], ['192.0.2.1'], '192.0.2.1', false],
    [[], ['2001:db8::/32'], '2001:db8::1', false],
    [[], ['2001:db8::/32'], '192.0.2.1', true],
    [['2001:db8::1'], [], '2001:db8::1', true],
    [['0.0.0.0/0'], [], '2001:db8::1', false],
  ])('allow %j deny %j: %s -> %s', (allow, deny, address, expected) => {
    expect(compileIpFilter({ allow, deny })(address)).toBe(expected)
  })
})

describe('admission', () => {
  test('one network is held to its rate, others and exempt ones are not', () => {
    const admission = new Admission(new FakeClock(), limits)
    const tries = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) => admission.atAccept(address))
    expect(tries).toEqual([undefined, undefined, 'visitor.rate'])
    expect(admission.atAccept('198.51.100.1')).toBeUndefined()
    for (let i = 0; i < 9; i++) expect(admission.atAccept('127.0.0.1')).toBeUndefined()
  })

  test('a /48 is held to four times the rate of a /64, however many it has', () => {
    const admission = new Admission(new FakeClock(), limits)
    let taken = 0
    for (let n = 0; n < 100; n++) if (admission.atAccept(`2001:db8:1:${n}::1`) === undefined) taken += 1
    expect(taken).toBeLessThanOrEqual(8)
    expect(taken).toBeGreaterThan(4)
    expect(admission.atAccept('2001:db8:2::1')).toBeUndefined()
  })

  test('a visitor of an http tunnel may send as many requests as its policy allows; others have their own', () => {
    const clock = new FakeClock()
    const admission = new Admission(clock, limits)
    const calm = subject({ policy: { ...policy, requestsPerMinute: 2 } })
    const asks = (address: string, at = calm) => admission.atRequest(address, at)
    expect([1, 2, 3].map(() => asks('192.0.2.1'))).toEqual([undefined, undefined, 'http.requests_rate'])
    expect(asks('192.0.2.2'), 'a neighbour').toBeUndefined()
    expect(asks('192.0.2.1', subject({ tunnel: 'tun_b', policy: calm.policy })), 'elsewhere').toBeUndefined()
    const home = ['2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2:3::1'].map((address) => asks(address))
    expect(home, 'a /64 is one visitor').toEqual([undefined, undefined, 'http.requests_rate'])
    clock.advance(30_000)
    expect(asks('192.0.2.1')).toBeUndefined()
    for (let n = 0; n < 9; n++) expect(asks('192.0.2.1', subject())).toBeUndefined()
  })

  test('a tunnel is held to its policy, an account to the sum of its tunnels', () => {
    const admission = new Admission(new FakeClock(), limits)
    const tight = { ...policy, connectionsPerMinute: 1 }
    expect(admission.atTunnel('192.0.2.1', subject({ policy: tight }))).toBeUndefined()
    expect(admission.atTunnel('192.0.2.1', subject({ policy: tight }))).toBe('tunnel.rate')
    const own = subject({
      tunnel: 'tun_own',
      account: 'acc_b',
      accountLimits: { connectionsMax: 5, connectionsPerMinute: 1 },
    })
    expect(admission.atTunnel('192.0.2.1', own)).toBeUndefined()
    expect(admission.atTunnel('192.0.2.1', own), 'its plan has a lower limit than the relay').toBe(
      'account.rate',
    )
    const others = ['tun_b', 'tun_c', 'tun_d'].map((tunnel) =>
      admission.atTunnel('192.0.2.1', subject({ tunnel })),
    )
    expect(others).toEqual([undefined, undefined, 'account.rate'])
  })

  const served = (admission: Admission, address: string) =>
    admission.atTunnel(address, subject({ policy: { ...policy, connectionsPerMinute: 120 } })) === undefined

  test.each([
    ['its network', '198.51.100.7', ['192.0.2.1']],
    ['its address', '192.0.2.7', ['192.0.2.1']],
    ['six networks', '198.51.100.7', [1, 2, 3, 4, 5, 6].map((n) => `203.0.${n}.1`)],
    ['a /48 with many /64', '2001:db8:2::1', [1, 2, 3, 4, 5, 6].map((n) => `2001:db8:1:${n}::1`)],
  ])('a heavy user of a tunnel takes nothing from others: %s', (_name, guest, crowd) => {
    const clock = new FakeClock()
    const admission = new Admission(clock, { ...limits, account: { perMinute: 6_000, burst: 6_000 } })
    let taken = 0
    const refused: number[] = []
    for (let second = 0; second < 300; second++) {
      for (const address of [...crowd, ...crowd, ...crowd]) if (served(admission, address)) taken += 1
      if (second % 5 === 0 && !served(admission, guest)) refused.push(second)
      clock.advance(1_000)
    }
    expect(refused, 'of a visitor every five seconds').toEqual([])
    expect(taken + 60, 'alone it would have had 700, and nothing is wasted').toBeGreaterThan(650)
  })

  test('a single user has the whole rate', () => {
    const clock = new FakeClock()
    const admission = new Admission(clock, { ...limits, account: { perMinute: 6_000, burst: 6_000 } })
    let taken = 0
    for (let second = 0; second < 300; second++) {
      for (let n = 0; n < 5; n++) if (served(admission, '192.0.2.1')) taken += 1
      clock.advance(1_000)
    }
    expect(taken).toBeGreaterThanOrEqual(600)
  })
})
