/** How each walk goes: step after step, each named when it fails and timed when it is done. */
import type { Browser } from 'playwright-core'
import type { Stage } from './stage.ts'

export type WalkOptions = {
  readonly stage: Stage
  readonly browser: Browser
  readonly pictures: string | undefined
  /** Gets each step when it is done. */
  say(step: string): void
}

type Step = readonly [name: string, step: () => Promise<void>]

/** @throws the first thing that is not as described */
export async function walkSteps(steps: readonly Step[], { say }: Pick<WalkOptions, 'say'>): Promise<void> {
  for (const [name, step] of steps) {
    // The walk sets this process's wall clock ahead.
    const startedMs = performance.now()
    await step().catch((cause: unknown) => {
      throw new Error(`the step "${name}" failed`, { cause })
    })
    say(`${name} (${((performance.now() - startedMs) / 1_000).toFixed(1)} s)`)
  }
}
