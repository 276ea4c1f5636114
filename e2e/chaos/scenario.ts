/** What a scenario is given, and what it gives back for its row of the table. */
import assert from 'node:assert/strict'
import type { Faults, Network } from './network.ts'

export type Lab = {
  readonly network: Network
  readonly faults: Faults
  /** Everything random in a run comes from it. */
  readonly seed: number
  /** For every day: the same faults, fewer and shorter. */
  readonly isShort: boolean
  /** Times a limit of time: the short form runs on machines that are busy with other tests. */
  readonly patience: number
}

/** What was measured, in words: `paused 410 ms`. */
export type Figures = readonly string[]

export type Scenario = {
  readonly name: string
  /** What happens and what must hold. */
  readonly title: string
  /** Rejects when something did not hold. */
  run(lab: Lab): Promise<Figures>
}

/** @param what "pause, ms": read with the limit when it does not hold */
export function assertAtMost(value: number, limit: number, what: string): void {
  assert(value <= limit, `${what}: ${Math.round(value)}, more than ${limit}`)
}

export function ms(value: number): string {
  return `${Math.round(value)} ms`
}
