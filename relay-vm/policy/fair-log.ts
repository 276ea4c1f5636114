/**
 * Log lines that agents cause. Each account may cause as many as the disk can take, but when there are many, those who
 * cause most get the fewest written; the next written line says how many were left out.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'
import { FairRates } from './fair-rates.ts'

export type FairLog = {
  /** @param owner who causes the line, the larger first: account, agent */
  info(owner: readonly string[], fields: object, message: string): void
}

/** 500 agents that come back at once bind thousands of tunnels; 100 lines a second are 2 GB a day. */
const rate = { perMinute: 6_000, burst: 20_000 }

export function fairLog(log: Log, clock: Clock): FairLog {
  const rates = new FairRates(clock, { keysMax: 1 })
  let leftOut = 0
  return {
    info(owner, fields, message) {
      if (!rates.take('log', rate, owner)) {
        leftOut += 1
        return
      }
      log.info(leftOut > 0 ? { ...fields, linesLeftOut: leftOut } : fields, message)
      leftOut = 0
    },
  }
}
