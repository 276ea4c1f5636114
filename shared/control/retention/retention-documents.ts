/** The documents of legal holds and of what went, by the rules of documents.ts. */
import { globalCollection } from '../names.ts'

/** Id: what is held, `acc_…` or `usr_…`. */
export type HoldDoc = {
  readonly reason: string
  readonly by: string
  readonly since: number
  /** When it ends by itself; a release sets it to now. */
  readonly until: number
  /** Since when an erasure waits for its end; 0 = none does. */
  readonly waitsSince: number
}

/** Id: `YYYY-MM`, UTC. */
export type GoneMonthDoc = {
  readonly month: number
  /** Documents that were deleted because their time was over, or with an erasure, by collection. */
  readonly counts: { readonly [collection: string]: number }
  readonly ttl: Date
}

export const holds = globalCollection<HoldDoc>('holds')
export const goneMonths = globalCollection<GoneMonthDoc>('goneMonths')
