/**
 * Walks the table of a relay's pools (relay-vm/policy/pools.ts): for each row one tenant fills it through the door that
 * tenants have and goes on asking, and another tenant is served as before. Times without and with the full pool are
 * taken in turn in the same run, because a machine's other load changes all the time.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '@porttunneler/shared/base/clock'
import { budgets, type PoolName, pools, rates } from '../../relay-vm/policy/pools.ts'
import { percentile } from '../chaos/visitors.ts'
import { eventually } from '../harness/events.ts'
import { agentCases } from './agents.ts'
import type { FullPool, PoolCase } from './case.ts'
import { recordCases } from './records.ts'
import { visitorCases } from './visitors.ts'

/**
 * Below these a doubled time tells more about the machine than about the relay. Processor time, which has the work for
 * all others in it that the guest waits for, knows no other program and is the sharper of the two; a wait for a timer
 * shows in the time that passes.
 */
const msFloors = { passed: 25, worked: 10 }
setFlagsFromString('--expose-gc')
const collect: NodeJS.GCFunction = runInNewContext('gc')

/** How often a row is tried again: a busy machine may hold up one run, and a full pool holds up each. */
const triesMax = 3

export type WalkOptions = {
  /**
   * Times taken of each row without and with a full pool. The bursts of the rates' cases are large enough for a guest
   * that asks 120 times: one that used as much as the greedy tenant would rightly be refused.
   */
  readonly samples: number
  readonly rounds: number
  /**
   * `p99` measures, and needs a machine of its own. `median` judges under any load: it compares the medians of two
   * pools that are asked in turn, so that whatever else takes the processor takes it from both. A guest who waits for a
   * full pool waits each time, so the median shows it too.
   */
  readonly by: 'p99' | 'median'
}
export type Figure = {
  readonly row: string
  readonly quietMs: number
  readonly fullMs: number
  readonly isKept: boolean
}

export type RowName = PoolName | `rate ${keyof typeof rates}` | `budget ${keyof typeof budgets}`

/** Every row by its name; of a rate and a pool with the same name the second has its kind in front. */
export const rowNames = [
  ...Object.keys(pools),
  ...Object.keys(rates).map((name) => `rate ${name}`),
  ...Object.keys(budgets).map((name) => `budget ${name}`),
] as readonly RowName[]

/** A row without a case is an error of types. */
const cases: Readonly<Record<RowName, PoolCase>> = { ...visitorCases, ...agentCases, ...recordCases }

/** @throws when its pool was not full, or when the other tenant was not served */
export async function walkRow(row: RowName, options: WalkOptions): Promise<Figure> {
  let figure = await compare(row, options)
  for (let tries = 1; tries < triesMax && !figure.isKept; tries++) figure = await compare(row, options)
  return figure
}

async function compare(row: RowName, { samples, rounds, by }: WalkOptions): Promise<Figure> {
  const taken: Taken = { quiet: [], full: [] }
  for (let round = 0; round < rounds; round++) {
    const full = await cases[row].open()
    try {
      if (by === 'p99') await takeOf(row, full, samples, taken)
      else {
        const quiet = await cases[row].open()
        await takeInTurn(row, { quiet, full }, samples, taken).finally(() => quiet.close())
      }
    } finally {
      await full.close()
    }
  }
  const passed = compared('passed', taken, by)
  const worked = compared('worked', taken, by)
  return { row, ...(worked.isKept ? passed : worked) }
}

type Taken = { readonly quiet: Times[]; readonly full: Times[] }

async function takeOf(row: string, pool: FullPool, samples: number, { quiet, full }: Taken): Promise<void> {
  // Code that runs for the first time is slow.
  await pool.serve()
  collect()
  for (let n = 0; n < samples; n++) quiet.push(await timesOf(pool.serve))
  await fill(row, pool)
  // What is filled here at once comes over minutes: else the collector would move all of it while a guest is served,
  // 40 to 250 ms.
  collect()
  for (let n = 0; n < samples; n++) {
    await pool.again()
    full.push(await timesOf(pool.serve))
  }
}

async function takeInTurn(
  row: string,
  pools: { readonly quiet: FullPool; readonly full: FullPool },
  samples: number,
  { quiet, full }: Taken,
): Promise<void> {
  for (const pool of [pools.quiet, pools.full]) await pool.serve()
  await fill(row, pools.full)
  for (let n = 0; n < samples; n++) {
    quiet.push(await timesOf(pools.quiet.serve))
    await pools.full.again()
    full.push(await timesOf(pools.full.serve))
  }
}

/** On a busy machine a rate gives back tokens while they are taken, so the tenant asks until it is turned away. */
async function fill(row: string, pool: FullPool): Promise<void> {
  await pool.fill()
  await eventually(`${row} is full`, async () => {
    if (await pool.isFull()) return true
    await pool.again()
    return undefined
  })
}

type Times = { readonly passed: number; readonly worked: number }

const shares = { p99: 0.99, median: 0.5 } as const

function compared(kind: keyof Times, { quiet, full }: Taken, by: WalkOptions['by']) {
  const of = (times: readonly Times[]) =>
    percentile(
      times.map((each) => each[kind]),
      shares[by],
    )
  const [quietMs, fullMs] = [of(quiet), of(full)]
  return { quietMs, fullMs, isKept: fullMs <= 2 * Math.max(quietMs, msFloors[kind]) }
}

/** What is done when `serve` returns is counted in processor time only: nothing else is in it on a busy machine. */
async function timesOf(serve: FullPool['serve']): Promise<Times> {
  const startMs = systemClock.monotonic()
  const before = process.threadCpuUsage()
  const worked = () => {
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / 1_000
  }
  const served = serve()
  if (!served) return both(worked())
  const measured = await served
  if (measured !== undefined) return both(measured)
  return { passed: systemClock.monotonic() - startMs, worked: worked() }
}

function both(ms: number): Times {
  return { passed: ms, worked: ms }
}
