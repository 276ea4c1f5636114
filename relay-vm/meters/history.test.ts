import { newId } from '@porttunneler/shared/base/ids'
import { describe, expect, test } from 'vitest'
import { History } from './history.ts'
import { TunnelMeter } from './tunnel-meter.ts'

const start = Date.UTC(2026, 0, 3, 6)
let count = 0
const makeMeter = (account = newId('acc', 1)) => new TunnelMeter({ tunnel: newId('tun', ++count), account })

function carry(meter: TunnelMeter, bytes: number): void {
  const stream = { bytesIn: bytes, bytesOut: 1 }
  meter.opened(stream)
  meter.closed(stream)
}

describe('history of a relay', () => {
  test('keeps the last minute by second and the last half hour by ten seconds, without idle times', () => {
    const history = new History()
    const meter = makeMeter()
    history.sample([meter], start)
    for (let second = 1; second <= 2_000; second++) {
      if (second % 2 === 0) carry(meter, second)
      history.sample([meter], start + second * 1_000)
    }
    const { seconds, tens } = history.read(meter, start + 2_000_000)
    expect(seconds).toHaveLength(30)
    expect(seconds.at(-1)).toEqual([start + 2_000_000, 1, 2_000, 1, 0])
    expect(seconds[0]?.[0]).toBe(start + 1_942_000)
    expect(tens).toHaveLength(180)
    const [at, , out, opened] = tens.at(-2) ?? []
    expect([at, out, opened]).toEqual([start + 1_990_000, 1_990 + 1_992 + 1_994 + 1_996 + 1_998, 5])
    // An hour later all of it is too old.
    expect(history.read(meter, start + 2_000_000 + 3_600_000)).toMatchObject({ seconds: [], tens: [] })
  })

  test('many accounts with a few tunnels each get no more than all places', () => {
    const history = new History()
    const all = Array.from({ length: 2_000 }, (_, n) => makeMeter(newId('acc', 10 + (n % 300))))
    for (let second = 1; second <= 3; second++) {
      for (const meter of all) carry(meter, 1)
      history.sample(all, start + second * 1_000)
      expect(history.size).toBe(512)
    }
  })

  test('one account with very many tunnels keeps nobody else out, and a removed tunnel takes no place', () => {
    const history = new History()
    const guest = makeMeter(newId('acc', 2))
    const account = newId('acc', 3)
    const hog = Array.from({ length: 700 }, () => makeMeter(account))
    const all = [guest, ...hog]
    history.sample(all, start)
    carry(guest, 5)
    for (const meter of hog) carry(meter, 1)
    history.sample(all, start + 1_000)
    expect(history.size).toBe(512)
    expect(history.read(guest, start + 1_000).seconds).toEqual([[start + 1_000, 1, 5, 1, 0]])
    history.sample([guest], start + 2_000)
    expect(history.size).toBe(1)
  })
})
