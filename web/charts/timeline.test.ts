import type { HistoryAnswer } from '@porttunneler/shared/api/schemas/history'
import type { LiveHistory } from '@porttunneler/shared/api/schemas/tunnels'
import { describe, expect, test } from 'vitest'
import { gridOf, resultsOf, trafficOf } from './timeline.ts'

const minute = 60_000
const start = Date.UTC(2026, 0, 3, 6)
const nothing = { in: 0, out: 0, opened: 0, refused: 0 }
const history = (change: Partial<HistoryAnswer>): HistoryAnswer => ({
  from: start,
  to: start + 10 * minute,
  step: minute,
  known: { from: start, to: start + 10 * minute },
  points: [],
  total: nothing,
  relayStarts: [],
  relayUpdates: [],
  ...change,
})
const relay = (change: Partial<LiveHistory>): LiveHistory => ({
  at: start + 10 * minute,
  since: start,
  seconds: [],
  tens: [],
  minutes: [],
  ...change,
})

describe('timeline', () => {
  test('what nobody knows is a gap, and what is missing inside of it is zero', () => {
    const known = { from: start + 2 * minute, to: start + 8 * minute }
    const points = [{ ...nothing, at: start + 3 * minute, in: 600, opened: 4, open: 1 }]
    const {
      at,
      in: bytes,
      open,
    } = trafficOf(gridOf(start, start + 10 * minute, minute), history({ known, points }), [])
    expect(at).toHaveLength(10)
    expect(bytes).toEqual([null, null, 0, 10, 0, 0, 0, 0, null, null])
    // One was open and may be still: nobody has said otherwise.
    expect(open.slice(2, 5)).toEqual([0, 1, null])
  })

  test('relays are believed since they began, and the control plane before', () => {
    const points = [{ ...nothing, at: start, in: 600 }]
    const relays = [
      relay({ since: start + minute, tens: [[start + minute, 100, 0, 1, 2, 1]] }),
      relay({ since: start + 30_000, tens: [[start + minute + 10_000, 50, 0, 1, 1, 0]] }),
    ]
    const grid = gridOf(start, start + 2 * minute, 10_000)
    const { in: bytes, open } = trafficOf(grid, history({ points }), relays)
    expect(bytes).toEqual([10, 10, 10, 10, 10, 10, 10, 5, 0, 0, 0, 0])
    expect(open.slice(6)).toEqual([2, 2, 1, 1, 1, 1])
  })

  test('a relay that lost what it had leaves a gap, not a zero', () => {
    const grid = gridOf(start, start + 30_000, 10_000)
    const { in: bytes } = trafficOf(grid, undefined, [relay({ since: start + 20_000 })])
    expect(bytes).toEqual([null, null, 0])
  })

  test('results of the last hour come from relays, unless these know less than was reported', () => {
    const counts = [...new Array<number>(10).fill(0), 100]
    const points = [
      {
        ...nothing,
        at: start,
        answers: { upgraded: 0, successful: 9, redirected: 0, clientError: 0, serverError: 0, unanswered: 1 },
        latency: { p50: 32, p95: 32, p99: 32, counts },
        codes: { 'PT-6040': 1 },
      },
      { ...nothing, at: start + minute, codes: { 503: 1 } },
    ]
    const relays = [
      relay({
        minutes: [
          { at: start, answers: [0, 1, 0, 0, 0, 0], times: [1] },
          { at: start + minute, answers: [0, 0, 0, 0, 2, 0], times: [0, 2], codes: { 503: 2 } },
        ],
      }),
    ]
    const grid = gridOf(start, start + 3 * minute, minute)
    const { successful, serverError, unanswered, codes, p50 } = resultsOf(grid, history({ points }), relays)
    expect(successful).toEqual([9, 0, 0])
    expect(serverError).toEqual([0, 2, 0])
    expect(unanswered).toEqual([1, 0, 0])
    expect(p50[0]).toBeGreaterThan(25)
    expect(p50[2]).toBeNull()
    expect(codes.get(start + minute)).toEqual({ 503: 2 })
  })

  test('by ten seconds only relays have them, and what is reported by the minute stays out', () => {
    const points = [{ ...nothing, at: start, codes: { 503: 9 } }]
    const answers = [0, 4, 0, 0, 1, 0]
    const relays = [relay({ resultTens: [{ at: start + 10_000, answers, times: [4], codes: { 503: 1 } }] })]
    const grid = gridOf(start, start + 30_000, 10_000)
    const { successful, codes } = resultsOf(grid, history({ points }), relays)
    expect(successful).toEqual([0, 4, 0])
    expect([...codes]).toEqual([[start + 10_000, { 503: 1 }]])
  })
})
