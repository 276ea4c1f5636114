import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { NetworkWatch } from './network-watch.ts'

function setUp({ refuses = false } = {}) {
  const clock = new FakeClock()
  const seen = { changes: 0, addresses: 'eth0 192.0.2.1', gone: [] as readonly string[], jumps: 0, refuses }
  const watch = new NetworkWatch({
    clock,
    addresses: () => {
      if (seen.refuses) throw new Error('uv_interface_addresses: EMFILE')
      return seen.addresses
    },
    onJump: () => {
      seen.jumps += 1
    },
    onChange: (gone) => {
      seen.changes += 1
      seen.gone = [...gone]
    },
  })
  watch.start()
  return { clock, seen, watch }
}

describe('network watch', () => {
  test('a new address is reported once, within a second', () => {
    const { clock, seen } = setUp()
    clock.advance(5_000)
    expect(seen.changes).toBe(0)
    seen.addresses = 'wlan0 198.51.100.7'
    clock.advance(1_000)
    clock.advance(5_000)
    expect(seen.changes).toBe(1)
    expect(seen.gone).toEqual(['192.0.2.1'])
  })

  test('an address that moved to another interface, or stayed beside a new one, is not gone', () => {
    const { clock, seen } = setUp()
    seen.addresses = 'br0 192.0.2.1\nwlan0 198.51.100.7'
    clock.advance(1_000)
    expect(seen).toMatchObject({ changes: 1, gone: [] })
  })

  test('a sleep shows in the wall clock; corrections by NTP do not count', () => {
    const { clock, seen } = setUp()
    clock.jump(2_000)
    clock.advance(1_000)
    expect(seen.changes).toBe(0)
    clock.jump(60_000)
    clock.advance(1_000)
    expect(seen.changes).toBe(1)
  })

  test('a clock set back is reported like one set forward', () => {
    const { clock, seen } = setUp()
    for (const ms of [-3_600_000, 365 * 86_400_000, -20 * 365 * 86_400_000]) {
      clock.jump(ms)
      clock.advance(1_000)
    }
    expect(seen).toMatchObject({ changes: 3, jumps: 3, gone: [] })
  })

  test('a system that cannot list its addresses counts as unchanged', () => {
    const { clock, seen } = setUp()
    seen.refuses = true
    clock.advance(5_000)
    expect(seen.changes).toBe(0)
    seen.refuses = false
    seen.addresses = 'eth0 192.0.2.9'
    clock.advance(1_000)
    expect(seen).toMatchObject({ changes: 1, gone: ['192.0.2.1'] })
  })

  test('one that could not list them at the start has not changed network later', () => {
    const { watch, clock, seen } = setUp({ refuses: true })
    seen.refuses = false
    clock.advance(1_000)
    expect(seen.gone.filter((address) => address !== '')).toEqual([])
    watch.close()
  })

  test('closed, it leaves no timer', () => {
    const { clock, watch } = setUp()
    watch.close()
    expect(clock.pending).toBe(0)
  })
})
