import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'
import { Report, Told } from './report.ts'

type Teller = { readonly id: number; readonly told: Told }

function reporting(count: number) {
  const streams = new Map<number, Teller>()
  const add = (id: number) => {
    const stream = { id, told: new Told() }
    report.began(stream)
    streams.set(id, stream)
  }
  /** How often each was reported since the last look. */
  let told = new Map<number, number>()
  const report = new Report({ streams, tell: ({ id }) => told.set(id, (told.get(id) ?? 0) + 1) })
  for (let id = 1; id <= count; id++) add(id)
  const look = () => {
    const seen = told
    told = new Map()
    return [...seen.values()].reduce((sum, times) => sum + times, 0)
  }
  return { report, streams, add, look, told: () => told }
}

const free = { canSend: true } as Carrier
const full = { canSend: false } as Carrier
const part = limits.reportStreamsPerTurn

describe('report', () => {
  test('reports a part of the streams a turn, and all of them in the end', () => {
    const { report, look } = reporting(3 * part + 10)
    report.begin(free)
    expect(look()).toBe(part)
    for (let turn = 0; turn < 3; turn++) report.goOn(free)
    expect(look()).toBe(2 * part + 10)
    expect(report.isUnderWay).toBe(false)
  })

  test('repeated losses cost a part of a report each turn, not a report each', () => {
    const { report, look, told } = reporting(3 * part)
    report.begin(free)
    for (let loss = 0; loss < 1_000; loss++) report.begin(free)
    expect(look()).toBe(part)
    for (let turn = 0; turn < 10; turn++) {
      report.goOn(free)
      expect([...told().values()].reduce((sum, times) => sum + times, 0)).toBeLessThanOrEqual(
        (turn + 1) * part,
      )
    }
    expect(look(), 'the first part twice: before the last loss, and after').toBe(3 * part)
    expect(report.isUnderWay).toBe(false)
  })

  test('streams that begin after the loss are not reported, and those that end meanwhile are skipped', () => {
    const { report, streams, add, look } = reporting(2 * part)
    report.begin(free)
    add(100_000)
    for (let id = part + 1; id <= 2 * part; id++) streams.delete(id)
    report.goOn(free)
    expect(look()).toBe(part)
  })

  test('a stream that is asked about a thousand times on a full carrier is reported once', () => {
    const { report, streams, look } = reporting(5)
    const [stream] = streams.values()
    for (let times = 0; times < 1_000; times++) report.ask(stream as Teller, full)
    expect([look(), report.isUnderWay]).toEqual([0, true])
    report.goOn(free)
    expect([look(), report.isUnderWay]).toEqual([1, false])
  })
})
