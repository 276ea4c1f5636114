import { describe, expect, test } from 'vitest'
import { appendPoint, emptyColumns, historyPoints } from './history.ts'
import { Ledger } from './ledger.ts'
import { type Counters, noFigures, ratesBetween } from './rates.ts'

const counters = (change: Partial<Counters>): Counters => ({
  in: 0,
  out: 0,
  opened: 0,
  refused: 0,
  active: 0,
  attached: true,
  ...change,
})

describe('rates', () => {
  test('are the growth of the counters a second', () => {
    const rates = ratesBetween(counters({ in: 1_000, opened: 2 }), counters({ in: 4_000, opened: 5 }), 2_000)
    expect(rates).toEqual({ in: 1_500, out: 0, opened: 1.5 })
  })

  test('count from zero after a relay restarted, and are never negative', () => {
    const before = counters({ in: 9_000, out: 10, opened: 7 })
    expect(ratesBetween(before, counters({ in: 500, out: 20, opened: 1 }), 1_000)).toEqual({
      in: 500,
      out: 20,
      opened: 1,
    })
  })

  test('are zero when no time has passed', () => {
    expect(ratesBetween(counters({}), counters({ in: 5 }), 0).in).toBe(0)
  })
})

describe('ledger', () => {
  test('adds up the relays of a cell', () => {
    const ledger = new Ledger()
    for (const [source, rttMs] of [
      ['a', 30],
      ['b', 20],
    ] as const) {
      ledger.take(source, { at: 1_000, tunnels: { t: counters({ in: 100, active: 2, rttMs }) } }, 0)
      ledger.take(source, { at: 2_000, tunnels: { t: counters({ in: 300, active: 3, rttMs }) } }, 1_000)
    }
    expect(ledger.sum(1_000).get('t')).toMatchObject({
      in: 600,
      active: 6,
      attached: true,
      rttMs: 20,
      rates: { in: 400 },
    })
  })

  test('a relay that fell silent no longer counts', () => {
    const ledger = new Ledger()
    ledger.take('a', { at: 0, tunnels: { t: counters({ active: 1 }) } }, 0)
    ledger.take('b', { at: 0, tunnels: { t: counters({ active: 5 }) } }, 4_000)
    expect(ledger.liveSources(5_500)).toBe(1)
    expect(ledger.sum(5_500).get('t')?.active).toBe(5)
  })

  test('a sample too soon after the last one, as of a fresh stream, moves no rate', () => {
    const ledger = new Ledger()
    const take = (at: number, bytes: number) =>
      ledger.take('a', { at, tunnels: { t: counters({ in: bytes }) } }, at)
    take(1_000, 0)
    take(2_000, 700)
    for (const [at, bytes] of [
      [2_000, 700],
      [2_004, 700],
      [2_300, 1_400],
    ] as const) {
      take(at, bytes)
      expect(ledger.sum(at).get('t')?.rates.in).toBe(700)
    }
    take(3_000, 1_400)
    expect(ledger.sum(3_000).get('t')?.rates.in).toBe(700)
  })

  test('a clock set back keeps the rate and goes on from there', () => {
    const ledger = new Ledger()
    for (const [at, bytes, rate] of [
      [9_000, 0, 0],
      [10_000, 500, 500],
      [4_000, 600, 500],
      [5_000, 900, 300],
    ] as const) {
      ledger.take('a', { at, tunnels: { t: counters({ in: bytes }) } }, 0)
      expect(ledger.sum(0).get('t')?.rates.in).toBe(rate)
    }
  })

  test('a relay that left the cell is forgotten at once', () => {
    const ledger = new Ledger()
    ledger.take('a', { at: 0, tunnels: { t: counters({}) } }, 0)
    ledger.keepOnly(['b'])
    expect(ledger.sum(0).size).toBe(0)
  })
})

describe('history', () => {
  test('keeps the last five minutes and draws a gap where nothing was known', () => {
    const columns = emptyColumns()
    for (let second = 0; second < historyPoints + 10; second += 1)
      appendPoint(columns, second * 1_000, second % 2 === 0 ? { ...noFigures, active: second } : null)
    expect(columns.at).toHaveLength(historyPoints)
    expect(columns.at[0]).toBe(10)
    expect(columns.active.slice(0, 2)).toEqual([10, null])
    expect(columns.in).toHaveLength(historyPoints)
  })
})
