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
  test('keeps ten minutes by second and six hours by ten seconds, without idle times', () => {
    const history = new History()
    const meter = makeMeter()
    history.sample([meter], start)
    for (let second = 1; second <= 2_000; second++) {
      if (second % 2 === 0) carry(meter, second)
      history.sample([meter], start + second * 1_000)
    }
    const now = start + 2_000_000
    const { seconds, tens, since } = history.read(meter, now)
    expect(since).toBe(start)
    expect(seconds).toHaveLength(300)
    expect(seconds.at(-1)).toEqual([now, 1, 2_000, 1, 0, 0])
    expect(seconds[0]?.[0]).toBe(start + 1_402_000)
    expect(tens).toHaveLength(201)
    const [at, , out, opened] = tens.at(-2) ?? []
    expect([at, out, opened]).toEqual([start + 1_990_000, 1_990 + 1_992 + 1_994 + 1_996 + 1_998, 5])
    expect(history.read(meter, now, now - 4_000).seconds).toHaveLength(2)
    // An hour later the seconds are too old, after six the rest, and the tunnel's place is free again.
    const later = history.read(meter, now + 3_600_000)
    expect([later.seconds.length, later.tens.length]).toEqual([0, 201])
    expect(history.read(meter, now + 6 * 3_600_000).tens).toEqual([])
    history.sample([meter], now + 6 * 3_600_000 + 1)
    expect(history.size).toBe(0)
  })

  test('tells how many are open at the end of a step, and not only the most', () => {
    const history = new History()
    const meter = makeMeter()
    const stream = { bytesIn: 0, bytesOut: 0 }
    history.sample([meter], start)
    meter.opened(stream)
    history.sample([meter], start + 1_000)
    meter.closed(stream)
    history.sample([meter], start + 2_000)
    expect(history.read(meter, start + 2_000).tens).toEqual([[start, 0, 0, 1, 1, 0]])
  })

  test('has the results of the last hour by minute: classes, times, statuses and codes', () => {
    const history = new History()
    const meter = makeMeter()
    const step = (second: number) => {
      carry(meter, 1)
      history.sample([meter], start + second * 1_000)
    }
    meter.answers.answered(200, 1)
    meter.answers.answered(404, 1)
    step(1)
    meter.answers.answered(200, 2)
    meter.refused('tunnel.rate')
    step(2)
    step(3)
    meter.answers.answered(503, 99_999)
    step(61)
    const { minutes, resultTens } = history.read(meter, start + 61_000)
    expect(resultTens).toMatchObject([
      { at: start, answers: [0, 2, 0, 1, 0, 0], codes: { 404: 1, 'PT-4104': 1 } },
      { at: start + 60_000, answers: [0, 0, 0, 0, 1, 0] },
    ])
    expect(history.read(meter, start + 61_000, start + 30_000).resultTens).toHaveLength(1)
    expect(history.read(meter, start + 601_000).resultTens).toHaveLength(1)
    expect(minutes).toMatchObject([
      { at: start, answers: [0, 2, 0, 1, 0, 0], times: [2, 0, 1], codes: { 404: 1, 'PT-4104': 1 } },
      { at: start + 60_000, answers: [0, 0, 0, 0, 1, 0], codes: { 503: 1 } },
    ])
    expect(minutes[1]?.times).toHaveLength(32)
    expect(history.read(meter, start + 3_600_000).minutes).toHaveLength(1)
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
    expect(history.read(guest, start + 1_000).seconds).toEqual([[start + 1_000, 1, 5, 1, 0, 0]])
    // Nobody says that those without a place carried nothing.
    const lost = hog.map((meter) => history.read(meter, start + 1_500).since)
    expect(lost.filter((since) => since === start + 1_000)).toHaveLength(700 - 511)
    history.sample([guest], start + 2_000)
    expect(history.size).toBe(1)
  })
})
