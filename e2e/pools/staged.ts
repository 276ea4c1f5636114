/** Cases whose pool is that of a whole relay. */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { FullPool, PoolCase } from './case.ts'
import { Stage } from './stage.ts'

/** How the greedy tenant asks, `count` times, and how the other one is served. */
type Ways = {
  readonly code: ErrorKey
  readonly count: number
  /** How many more before each of the guest's. Default: 1. */
  readonly more?: number
  ask(stage: Stage, count: number): Promise<void>
  serve(stage: Stage): Promise<void>
}

export function staged(options: Parameters<typeof Stage.open>[0], ways: Ways): PoolCase {
  return {
    async open(): Promise<FullPool> {
      const stage = await Stage.open(options)
      return {
        fill: () => ways.ask(stage, ways.count),
        isFull: async () => stage.turnedAway + (await stage.refused(ways.code)) > 0,
        again: () => ways.ask(stage, ways.more ?? 1),
        serve: () => ways.serve(stage),
        close: () => stage.close(),
      }
    },
  }
}
