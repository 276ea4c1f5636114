import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expect, test } from 'vitest'
import { LoadMeter } from './load.ts'
import { Meters } from './meters.ts'

test('load: bytes a second are of the time since the report before', () => {
  const clock = new FakeClock()
  const load = new LoadMeter(clock)
  clock.advance(30_000)
  const first = load.read({ sessions: 2, streams: 3, carriedBytes: 3_000_000 })
  expect(first).toMatchObject({ sessions: 2, streams: 3, bytesPerSecond: 100_000 })
  clock.advance(30_000)
  expect(load.read({ sessions: 2, streams: 3, carriedBytes: 3_000_000 }).bytesPerSecond).toBe(0)
  expect(first.memoryBytes).toBeGreaterThan(first.rssBytes)
  for (const figure of Object.values(first)) expect(Number.isFinite(figure)).toBe(true)
  load.close()
})

test('load: what was carried stays counted when a meter is dropped, or its tunnel has another account', () => {
  const meters = new Meters()
  const carry = (account: string) => {
    const stream = { bytesIn: 70, bytesOut: 30 }
    const meter = meters.of('tun_1', account)
    meter.opened(stream)
    meter.closed(stream)
  }
  carry('acc_1')
  expect(meters.carriedBytes()).toBe(100)
  carry('acc_2')
  expect(meters.carriedBytes()).toBe(200)
  meters.prune(() => false)
  expect(meters.carriedBytes()).toBe(200)
})
