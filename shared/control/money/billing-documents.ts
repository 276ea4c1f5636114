/** What is stored about paying: states, times and amounts. Cards, addresses and invoices stay at Stripe. */
import { collection, globalCollection, ownIdCollection } from '../names.ts'
import type { BillPeriod, Span } from './bill.ts'
import type { Interval } from './catalogue-schema.ts'
import type { PricedItem } from './payments.ts'

/** docs/plans.md: `pastDue` keeps the plan for a week, `limited` has what is free and deletes nothing. */
export type BillingState = 'free' | 'trial' | 'active' | 'pastDue' | 'limited'

/** A span of the bill as it is stored: its cap is a number. */
export type SpanDoc = Omit<Span, 'cap'> & { readonly cap: number }

/** Id: account. Made with its customer; what follows from it is granted to the account (following.ts). */
export type SubscriptionDoc = {
  readonly account: string
  readonly customer: string
  /** '' = none. */
  readonly subscription: string
  readonly state: BillingState
  readonly plan: string
  readonly version: number
  readonly interval: Interval
  readonly currency: string
  readonly seats: number
  readonly periodStart: number
  readonly periodEnd: number
  /** The one before, for usage that comes late: months differ in length, so nothing else tells where it began. */
  readonly lastPeriod?: BillPeriod
  /** What it had when: for the bill. Older than a period before the present one is dropped. */
  readonly timeline: readonly SpanDoc[]
  /** The most that the owner lets transfer cost in a period, minor units; begins at 0. */
  readonly cap: number
  /** How much of it counts: a new payer has less (following.ts). */
  readonly capNow: number
  /** Since when an invoice is open; 0 = none is. */
  readonly graceFrom: number
  readonly trialEnd: number
  /** The end of a trial that people were told of. */
  readonly toldTrial?: number
  readonly cancelAt: number
  /** A change for the next period. */
  readonly next?: {
    readonly plan: string
    readonly interval: Interval
    readonly seats: number
    readonly at: number
  }
  readonly isDisputed: boolean
  /** A trial was ended, since its card or mailbox had one before (trials.ts). */
  readonly hadTrial?: true
  /** The deletion of the account that ended it, by its time, and the change that waited then; [] = none did. */
  readonly closing?: { readonly of: number; readonly items: readonly PricedItem[] }
  /** An operator moves it to this version of the catalogue, with its first renewal after that time. */
  readonly moving?: { readonly to: number; readonly after: number }
  /** When the lost dispute began that people were told of. */
  readonly toldLost?: number
  /** A change that was asked for, so that its time is known when it arrives. */
  readonly asked?: { readonly items: string; readonly at: number }
  readonly syncedAt: number
  /** When it was compared with the payment service (reconciling.ts); a release up to 0.1 did not note it. */
  readonly checkedAt?: number
  /** What differed then, in words, and since when; absent: nothing did. */
  readonly drift?: readonly string[]
  readonly driftAt?: number
}

/** Id: the customer's. Its creation is the claim: no customer belongs to two accounts. */
type CustomerDoc = { readonly account: string }

/**
 * Id: the event's own. `waiting` until its customer was read after it came; `unknown` types are kept for a release that
 * knows them. docs/decisions/0090
 */
export type PaymentEventDoc = {
  readonly type: string
  readonly object: string
  /** '' = it has to be asked for, or there is none. */
  readonly customer: string
  readonly state: 'waiting' | 'handled' | 'unknown'
  readonly tries: number
  readonly receivedAt: number
  readonly ttl: Date
}

/** Id: `<account>:<hour>`. What an hour's transfer was reported as, and which revision of it has arrived. */
export type MeterReportDoc = {
  readonly account: string
  readonly hour: number
  readonly megabytes: number
  readonly revision: number
  readonly sent: number
  readonly ttl: Date
}

/** Id: a keyed hash of a card or a mailbox. Its creation is the claim of its one trial. */
type TrialDoc = { readonly account: string; readonly ttl: Date }

export const subscriptions = ownIdCollection<SubscriptionDoc>('subscriptions')
export const customers = globalCollection<CustomerDoc>('customers')
export const paymentEvents = globalCollection<PaymentEventDoc>('stripeEvents')
export const meterReports = collection<MeterReportDoc>('meterReports')
export const trials = globalCollection<TrialDoc>('trials')
