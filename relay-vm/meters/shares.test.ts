/** Shares of a period's transfer, checked against the rule by which the control plane grants them. */

import { newId } from '@porttunneler/shared/base/ids'
import { seededRandom } from '@porttunneler/shared/testing/wire-pair'
import { describe, expect, test } from 'vitest'
import { Meters } from './meters.ts'
import { TransferShares } from './shares.ts'
import { TunnelMeter } from './tunnel-meter.ts'

const account = newId('acc', 1)
const meterOf = () => new TunnelMeter({ tunnel: newId('tun', 1), account })

/** Carries the bytes in streams of their own. */
function carry(meter: TunnelMeter, bytes: number): void {
  const stream = { bytesIn: bytes, bytesOut: 0 }
  meter.opened(stream)
  meter.closed(stream)
}

describe('shares', () => {
  test('bytes since the count are subtracted from the ticket with that count', () => {
    const [shares, meter] = [new TransferShares(), meterOf()]
    const ticket = { account, shareOf: 'a' }
    shares.granted({ ...ticket, iat: 1, shareBytes: 100, shareFrom: 0 }, meter)
    carry(meter, 60)
    shares.mark(1)
    carry(meter, 30)
    // 60 of 100 are counted, 30 are not yet.
    shares.granted({ ...ticket, iat: 2, shareBytes: 40, shareFrom: 1 }, meter)
    expect(shares.isSpent(account)).toBe(false)
    carry(meter, 9)
    expect(shares.isSpent(account)).toBe(false)
    carry(meter, 1)
    expect(shares.isSpent(account)).toBe(true)
    shares.granted({ ...ticket, iat: 3, shareBytes: 40, shareFrom: 1 }, meter)
    expect(shares.isSpent(account), 'the same count again').toBe(true)
    shares.granted({ account, shareOf: 'b', iat: 4, shareBytes: 100, shareFrom: 1 }, meter)
    expect(shares.isSpent(account), 'the next period').toBe(false)
  })

  test('a share that a clock issued which was ahead ends with the first ticket of the right time', () => {
    const [shares, meter] = [new TransferShares(), meterOf()]
    const years = 20 * 365 * 86_400
    shares.granted({ account, shareOf: 'a', iat: years, shareBytes: 10, shareFrom: years * 1_000 }, meter)
    carry(meter, 10)
    expect(shares.isSpent(account)).toBe(true)
    // An older ticket that is still good says nothing new.
    shares.granted({ account, shareOf: 'a', iat: years - 60, shareBytes: 50, shareFrom: 0 }, meter)
    expect(shares.isSpent(account)).toBe(true)
    shares.granted({ account, shareOf: 'a', iat: 1, shareBytes: 50, shareFrom: 0 }, meter)
    expect(shares.isSpent(account)).toBe(false)
  })

  test('a ticket of a release up to 0.1, which does not say from when it counts, counts from its bind', () => {
    const [shares, meter] = [new TransferShares(), meterOf()]
    shares.granted({ account, iat: 1, shareBytes: 10 }, meter)
    carry(meter, 10)
    expect(shares.isSpent(account)).toBe(true)
    shares.granted({ account, iat: 2, shareBytes: 10 }, meter)
    expect(shares.isSpent(account)).toBe(false)
  })

  test('removed tunnels are not counted again and again, and their bytes stay counted', () => {
    const meters = new Meters()
    const ticket = { account, iat: 1, shareBytes: 1_000, shareFrom: 0, shareOf: 'a' }
    let reads = 0
    for (let n = 0; n < 500; n++) {
      const meter = meters.of(newId('tun', n), account)
      meters.shares.granted(ticket, meter)
      carry(meter, 1)
      const read = meter.read.bind(meter)
      meter.read = () => {
        reads += 1
        return read()
      }
    }
    meters.prune(() => false)
    reads = 0
    const last = meters.of(newId('tun', 501), account)
    meters.shares.granted(ticket, last)
    expect([meters.shares.isSpent(account), reads]).toEqual([false, 0])
    carry(last, 500)
    expect(meters.shares.isSpent(account)).toBe(true)
  })

  test('an account with very many open streams costs each new visitor a bounded number of steps', () => {
    const [shares, meter] = [new TransferShares(), meterOf()]
    shares.granted({ account, iat: 1, shareBytes: 10_000, shareFrom: 0, shareOf: 'a' }, meter)
    let steps = 0
    let bytesOut = 0
    for (let n = 0; n < 6_400; n++)
      meter.opened({
        bytesIn: 0,
        get bytesOut() {
          steps += 1
          return bytesOut
        },
      })
    for (let n = 0; n < 1_000; n++) expect(shares.isSpent(account)).toBe(false)
    expect(steps).toBeLessThan(1_000 * 80)
    bytesOut = 2
    let newcomers = 0
    while (!shares.isSpent(account)) newcomers++
    expect(newcomers, 'one in 64').toBeLessThanOrEqual(101)
  })

  test.each(Array.from({ length: 200 }, (_, seed) => seed + 1))(
    'no two tickets grant the same bytes: relays, reports and tickets at random (%i)',
    (seed) => {
      const random = seededRandom(seed)
      const below = (max: number) => Math.floor(random() * max)
      const [limit, chunk] = [100_000, 500]
      const relays = Array.from({ length: 1 + below(4) }, () => ({
        shares: new TransferShares(),
        meter: meterOf(),
        /** The count of the relay's ticket. */
        count: 0,
        byHour: new Map<number, number>(),
      }))
      let [hour, iat, counted, left] = [0, 0, 0, limit]
      const total = () => relays.reduce((sum, { meter }) => sum + meter.read().out, 0)
      const ticket = () => {
        iat++
        return {
          account,
          iat,
          shareOf: 'p',
          shareBytes: Math.floor(left / relays.length),
          shareFrom: counted,
        }
      }
      const show = (relay: (typeof relays)[number], shown = ticket()) => {
        relay.shares.granted(shown, relay.meter)
        relay.count = counted
      }
      for (const relay of relays) show(relay)
      // Visitors come to some relays now and to others later: what one relay leaves unused, others need.
      let busy = relays.map(() => random() < 0.5)
      for (let step = 0; step < 4_000; step++) {
        const act = random()
        if (act < 0.9) {
          const relay = relays[below(relays.length)]
          if (random() < 0.02) busy = relays.map(() => random() < 0.5)
          if (!relay || !busy[relays.indexOf(relay)] || relay.shares.isSpent(account)) continue
          carry(relay.meter, chunk)
          relay.byHour.set(hour, (relay.byHour.get(hour) ?? 0) + chunk)
        } else if (act < 0.985) {
          const some = relays[below(relays.length)]
          if (some) show(some)
        } else if (act < 0.993) {
          // Agents renew twice an hour: every relay has the tickets of one count before the next hour ends.
          for (const relay of relays) if (relay.count < counted) show(relay)
          hour++
          for (const { shares } of relays) shares.mark(hour)
        } else {
          counted = hour
          const bytes = relays.flatMap(({ byHour }) => [...byHour].filter(([at]) => at < counted))
          left = Math.max(0, limit - bytes.reduce((sum, [, each]) => sum + each, 0))
        }
        expect(total()).toBeLessThanOrEqual(limit + relays.length * chunk)
      }
    },
  )
})
