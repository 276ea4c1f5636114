/**
 * The rules of loss and resume (wire protocol, rules 10 to 17) on random schedules of cuts, moves, resets and closes. A
 * failing seed is printed; `runModel(seed)` repeats it.
 */
import { randomInt } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { isWhole } from '../testing/breadth.ts'
import { runModel } from '../testing/mux-model.ts'
import { CarrierSet } from './carrier-set.ts'
import { Outbound } from './outbound.ts'
import { SeenIds } from './seen-ids.ts'
import { Stream } from './stream.ts'

const seeds = Number(process.env.MODEL_SEEDS ?? (isWhole ? 150 : 40))
/** Other schedules with each run; MODEL_FROM repeats a seed that a failure names. */
const from = Number(process.env.MODEL_FROM ?? randomInt(1_000_000))
const { reportStreamsPerTurn } = limits

afterEach(() => {
  vi.restoreAllMocks()
  Reflect.set(limits, 'reportStreamsPerTurn', reportStreamsPerTurn)
})

/**
 * Some seed must find the fault: a model that misses it proves nothing.
 * @param known the first that did, which is tried first; others may, once the model draws differently
 */
async function findsFault(known: number): Promise<boolean> {
  for (let tries = 0; tries <= 2_000; tries++) {
    try {
      await runModel(tries === 0 ? known : tries, { steps: 500 })
    } catch {
      return true
    }
  }
  return false
}

describe('resume', () => {
  test.each([
    ['at once', reportStreamsPerTurn],
    ['one stream a turn', 1],
  ])('reports %s: no byte is lost or doubled, nothing is dialled twice or stuck', async (_name, part) => {
    Reflect.set(limits, 'reportStreamsPerTurn', part)
    const sum = { losses: 0, clean: 0, resets: 0, dials: 0, bytes: 0 }
    for (let seed = from; seed < from + seeds; seed++) {
      const outcome = await runModel(seed)
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += outcome[key]
    }
    expect(sum.losses).toBeGreaterThan(seeds * 10)
    expect(sum.clean).toBeGreaterThan(seeds)
  })

  test('the model finds: ids seen are forgotten', async () => {
    vi.spyOn(SeenIds.prototype, 'has').mockReturnValue(false)
    expect(await findsFault(86)).toBe(true)
  })

  test('the model finds: no SYNC is owed after OPEN', async () => {
    const { answered } = Stream.prototype
    vi.spyOn(Stream.prototype, 'answered').mockImplementation(function (this: Stream) {
      const sync = vi.spyOn(this, 'sendSync').mockReturnValue()
      answered.call(this)
      sync.mockRestore()
    })
    expect(await findsFault(47)).toBe(true)
  })

  test('the model finds: losses are not announced', async () => {
    vi.spyOn(CarrierSet.prototype, 'announce').mockImplementation(() => {})
    expect(await findsFault(350)).toBe(true)
  })

  test('the model finds: lost pieces are not sent again', async () => {
    vi.spyOn(Outbound.prototype, 'repeatLost').mockImplementation(() => {})
    expect(await findsFault(1)).toBe(true)
  })

  test('the model finds: RESET overtakes last words', async () => {
    vi.spyOn(Stream.prototype, 'resetBehind').mockImplementation(function (this: Stream, key) {
      this.reset(key)
    })
    expect(await findsFault(1)).toBe(true)
  })
})
