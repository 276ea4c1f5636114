import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { NetworkWatch } from './network-watch.ts'

function setUp() {
  const clock = new FakeClock()
  const seen = { changes: 0, addresses: 'eth0 192.0.2.1' }
  const watch = new NetworkWatch({
    clock,
    addresses: () => seen.addresses,
    onChange: () => {
      seen.changes += 1
    },
  })
  watch.start()
  return { clock, seen, watch }
}

describe('network watch', () => {
  test('another address is told once, within a second', () => {
    const { clock, seen } = setUp()
    clock.advance(5_000)
    expect(seen.changes).toBe(0)
    seen.addresses = 'wlan0 198.51.100.7'
    clock.advance(1_000)
    clock.advance(5_000)
    expect(seen.changes).toBe(1)
  })

  test('a sleep shows in the wall clock; what NTP corrects does not count', () => {
    const { clock, seen } = setUp()
    clock.jump(2_000)
    clock.advance(1_000)
    expect(seen.changes).toBe(0)
    clock.jump(60_000)
    clock.advance(1_000)
    expect(seen.changes).toBe(1)
  })

  test('closed, it leaves no timer', () => {
    const { clock, watch } = setUp()
    watch.close()
    expect(clock.pending).toBe(0)
  })
})
