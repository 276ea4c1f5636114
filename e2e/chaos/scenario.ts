/** The input of a scenario, and the result for its row of the table. */
import assert from 'node:assert/strict'
import type { Faults, Network } from './network.ts'

export type Lab = {
  readonly network: Network
  readonly faults: Faults
  /** All randomness of a run comes from it. */
  readonly seed: number
  /** For every day: the same faults, but fewer and shorter. */
  readonly isShort: boolean
  /** Multiplies time limits, because the short form runs on machines that are busy with other tests. */
  readonly patience: number
}

/** The measured figures in words: `paused 410 ms`. */
export type Figures = readonly string[]

export type Scenario = {
  readonly name: string
  /** What happens and what must hold. */
  readonly title: string
  /** Rejects when a promise of the title was broken. */
  run(lab: Lab): Promise<Figures>
}

/** @param what for the error message, like "pause, ms" */
export function assertAtMost(value: number, limit: number, what: string): void {
  assert(value <= limit, `${what}: ${Math.round(value)}, more than ${limit}`)
}

export function ms(value: number): string {
  return `${Math.round(value)} ms`
}
