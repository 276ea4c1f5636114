/** Figures of the whole service, made once a day (figures.ts); they follow the rules of documents.ts. */
import { globalCollection } from '../names.ts'

/** Sums over the accounts of one plan. Money is in millionths of a US dollar, whole. */
export type PlanFigures = {
  /** Accounts that are not closed. */
  readonly accounts: number
  readonly paying: number
  readonly trial: number
  /** Tunnels with a lease when the figures were made. */
  readonly online: number
  /** What those who pay will have paid in a month: minor units of each currency, without transfer and added tax. */
  readonly recurring: { readonly [currency: string]: number }
  /** Carried on the day, both ways. */
  readonly bytes: number
  /** The day's part of what is left of the recurring amounts, after the payment service's fee and included tax. */
  readonly netMicros: number
  /** What transfer and tunnels of the day cost, by the catalogue's cost figures. */
  readonly costMicros: number
}
export type ByPlan = { readonly [plan: string]: PlanFigures }

/** An account that carried much on a day. */
export type Talker = {
  readonly account: string
  readonly bytes: number
  readonly opened: number
  readonly refused: number
}

/** Id: `YYYY-MM-DD`, UTC. It names accounts, so it is kept as long as usage rows are. */
export type ServiceDayDoc = {
  readonly day: number
  readonly madeAt: number
  readonly plans: ByPlan
  /** Those who carried most first. */
  readonly talkers: readonly Talker[]
  readonly ttl: Date
}

/** Id: `YYYY-MM`. Counts and recurring amounts are those of its last day; bytes, net and cost are sums of its days. */
export type ServiceMonthDoc = {
  readonly month: number
  /** The last day that is in it, and how many are. A day when no server ran is in none. */
  readonly lastDay: number
  readonly days: number
  readonly madeAt: number
  readonly plans: ByPlan
  readonly ttl: Date
}

/** New accounts of one week, as they are on a day. */
export type CohortFigures = {
  readonly accounts: number
  /** Those whose first person has proven the mail address. */
  readonly proven: number
  readonly tunnel: number
  /** Those that a visitor has reached. */
  readonly visitor: number
  readonly paying: number
  /** Active in the seven days that end with this one. */
  readonly active: number
}

/** Sums over accounts; active are those of which a visitor reached a tunnel. */
export type ActivityFigures = {
  readonly accounts: number
  readonly day: number
  /** In the seven days that end with this one. */
  readonly week: number
  /** In 28 days. */
  readonly month: number
  /** By the Monday, `YYYY-MM-DD`, of the week in which they came; 13 weeks. */
  readonly cohorts: { readonly [week: string]: CohortFigures }
}

/** Id: `YYYY-MM-DD`, UTC. It names nobody. */
export type ActivityDayDoc = {
  readonly day: number
  readonly madeAt: number
  readonly accounts: number
  readonly active: { readonly day: number; readonly week: number; readonly month: number }
  readonly cohorts: { readonly [week: string]: CohortFigures }
  readonly ttl: Date
}

export const serviceDays = globalCollection<ServiceDayDoc>('serviceDays')
export const serviceMonths = globalCollection<ServiceMonthDoc>('serviceMonths')
export const activityDays = globalCollection<ActivityDayDoc>('activityDays')
