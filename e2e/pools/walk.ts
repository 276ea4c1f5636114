/**
 * Walks the table of a relay's pools (relay-vm/policy/pools.ts): for each row one tenant fills it through the door that
 * tenants have and goes on asking, and another tenant is served as before. Times without and with the full pool are
 * taken in turn in the same run, because a machine's other load changes all the time.
 */
import { systemClock } from '@porttunneler/shared/base/clock'
import { budgets, type PoolName, pools, rates } from '../../relay-vm/policy/pools.ts'
import { percentile } from '../chaos/visitors.ts'
import { eventually } from '../harness/events.ts'
import { agentCases } from './agents.ts'
import type { FullPool, PoolCase } from './case.ts'
import { recordCases } from './records.ts'
import { visitorCases } from './visitors.ts'

/**
 * Below these a doubled p99 tells more about the machine than about the relay. Processor time, which has the work for
 * all others in it that the guest waits for, knows no other program and is the sharper of the two; a wait for a timer
 * shows in the time that passes.
 */
const p99MsFloors = { passed: 25, worked: 10 }
/** How often a row is tried again: a busy machine may hold up one run, and a full pool holds up each. */
const triesMax = 3

export type WalkOptions = {
  /**
   * Times taken of each row without and with a full pool. The bursts of the rates' cases are large enough for a guest
   * that asks 120 times: one that used as much as the greedy tenant would rightly be refused.
   */
  readonly samples: number
  readonly rounds: number
}
export type Figure = {
  readonly row: string
  readonly quietMs: number
  readonly fullMs: number
  readonly isKept: boolean
}

/** Every row by its name; of a rate and a pool with the same name the second has its kind in front. */
export const rowNames: readonly string[] = [
  ...Object.keys(pools),
  ...Object.keys(rates).map((name) => `rate ${name}`),
  ...Object.keys(budgets).map((name) => `budget ${name}`),
]
type RowName = PoolName | `rate ${keyof typeof rates}` | `budget ${keyof typeof budgets}`

const cases: Readonly<Record<RowName, PoolCase>> = { ...visitorCases, ...agentCases, ...recordCases }

/** @throws when the row has no case, when its pool was not full, or when the other tenant was not served */
export async function walkRow(row: string, options: WalkOptions): Promise<Figure> {
  const found: PoolCase | undefined = Object.entries(cases).find(([name]) => name === row)?.[1]
  if (found === undefined) throw new Error(`No case fills ${row}: add one in e2e/pools`)
  let figure = await compare(row, found, options)
  for (let tries = 1; tries < triesMax && !figure.isKept; tries++) figure = await compare(row, found, options)
  return figure
}

async function compare(row: string, { open }: PoolCase, { samples, rounds }: WalkOptions): Promise<Figure> {
  const quiet: Times[] = []
  const full: Times[] = []
  for (let round = 0; round < rounds; round++) {
    const pool = await open()
    try {
      // Code that runs for the first time is slow.
      await pool.serve()
      for (let n = 0; n < samples; n++) quiet.push(await timesOf(pool.serve))
      await pool.fill()
      await eventually(`${row} is full`, async () => (await pool.isFull()) || undefined)
      for (let n = 0; n < samples; n++) {
        await pool.again()
        full.push(await timesOf(pool.serve))
      }
    } finally {
      await pool.close()
    }
  }
  const passed = compared('passed', quiet, full)
  const worked = compared('worked', quiet, full)
  return { row, ...(worked.isKept ? passed : worked) }
}

type Times = { readonly passed: number; readonly worked: number }

function compared(kind: keyof Times, quiet: readonly Times[], full: readonly Times[]) {
  const p99 = (times: readonly Times[]) =>
    percentile(
      times.map((each) => each[kind]),
      0.99,
    )
  const [quietMs, fullMs] = [p99(quiet), p99(full)]
  return { quietMs, fullMs, isKept: fullMs <= 2 * Math.max(quietMs, p99MsFloors[kind]) }
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
