/**
 * The documents of usage: rows as relays report them, and the counts made from them. How to read them: documents.ts.
 */
import { collection, ownIdCollection } from './names.ts'

/** Id: `<tunnel>:<hour>:<boot>`. One relay boot writes it; numbers only rise. */
export type UsageHourDoc = {
  readonly account: string
  readonly tunnel: string
  readonly cell: string
  readonly hour: number
  readonly in: number
  readonly out: number
  readonly opened: number
  readonly refused: number
  /** The figures by minute, packed as `minuteShape` says; older relays omit it. */
  readonly minutes?: string
  /** How visitors fared, by minute, packed as books/results.ts says; undefined: nothing was counted. */
  readonly answers?: string
  readonly times?: string
  readonly open?: string
  readonly codes?: { readonly [code: string]: string }
  readonly updatedAt: number
  readonly ttl: Date
}

/**
 * Id: `<account>:<start>`. What an account carried from `start` to `end`, both full hours. Open until its end, closing
 * for two more days, then closed: the counted figures never change again.
 */
export type UsagePeriodDoc = {
  readonly account: string
  readonly start: number
  readonly end: number
  readonly state: 'open' | 'closing' | 'closed'
  /** When its state is due to change; 0 = never. */
  readonly turnsAt: number
  /** A new plan begins a new period; '' from releases up to 0.1, which did not store it. */
  readonly plan: string
  /** For each hour from `start` on, packed as `hourShape` says. */
  readonly hours: string
  /** How visitors fared, by hour; shown, and never billed. */
  readonly answers?: string
  readonly times?: string
  readonly open?: string
  readonly codes?: { readonly [code: string]: string }
  /** Both ways, of `hours`. */
  readonly bytes: number
  /** Hours before this are counted. */
  readonly countedTo: number
  /** Hours before this are in the months of the account's tunnels. */
  readonly monthsTo: number
  /** Bytes that came for closed periods while this one was open; billed with it. */
  readonly corrections: number
  /** In a closed period: `hours` with later usage; '' = there was none. */
  readonly lateHours: string
  /** In a closed period: how much of it is in `corrections` of later ones. */
  readonly corrected: number
  /** The highest share, in per cent, that the account was warned of: 0, 80, 90, 100. */
  readonly warned: number
  readonly ttl: Date
}
/** Id: `<account>:<YYYY-MM>`, in the same collection: a month from releases up to 0.1, until it is converted. */
export type MonthOfBeforeDoc = {
  readonly account: string
  readonly start: number
  /** First ms of an hour -> bytes in both directions. */
  readonly hours: { readonly [hour: string]: number }
  readonly bytes: number
  readonly warned: number
  readonly rolledAt: number
  readonly openFrom: number
  readonly ttl: Date
}
/** Id: account. Hours that got usage when they may already have been counted. */
export type UsageLateDoc = { readonly account: string; readonly hours: readonly number[]; readonly ttl: Date }
/** Id: `<tunnel>:<YYYY-MM>`. The hours of a tunnel in a calendar month, packed as in periods. */
export type UsageMonthDoc = {
  readonly account: string
  readonly tunnel: string
  readonly start: number
  readonly hours: string
  readonly answers?: string
  readonly times?: string
  readonly open?: string
  readonly codes?: { readonly [code: string]: string }
  readonly ttl: Date
}

export const usageHours = collection<UsageHourDoc>('usageHours')
export const usagePeriods = collection<UsagePeriodDoc>('usagePeriods')
export const monthsOfBefore = collection<MonthOfBeforeDoc>('usagePeriods')
export const usageLate = ownIdCollection<UsageLateDoc>('usageLate')
export const usageMonths = collection<UsageMonthDoc>('usageMonths')
