/**
 * The payment service as the domain sees it: it is asked for the present truth and told what to do; nothing is believed
 * that it did not answer itself (docs/decisions/0090). Amounts are minor units; times are ms.
 */
import type { Currency } from './amounts.ts'
import type { Interval } from './catalogue-schema.ts'
import type { ComparedLine } from './line-differences.ts'

/** A price by its lookup key (`price-keys.ts`) and how many of it. */
export type PricedItem = { readonly price: string; readonly quantity: number }

export type PaidStatus =
  | 'trialing'
  | 'active'
  | 'past_due'
  | 'unpaid'
  | 'paused'
  | 'canceled'
  | 'incomplete'
  | 'incomplete_expired'

export type PaidSubscription = {
  readonly id: string
  readonly status: PaidStatus
  readonly createdAt: number
  /** Quantity 0: metered. `item` is its id at the service. */
  readonly items: readonly (PricedItem & { readonly item: string })[]
  readonly period: { readonly start: number; readonly end: number }
  /** 0: none. */
  readonly trialEnd: number
  /** When it ends by itself; 0: it goes on. */
  readonly cancelAt: number
  readonly endedAt: number
  /** What it becomes, and when; undefined: it stays. */
  readonly next?: { readonly at: number; readonly items: readonly PricedItem[] } | undefined
}

/** All that counts of a customer, read in one go. */
export type CustomerState = {
  /** The account that we made it for; '' when it is gone or not ours. */
  readonly account: string
  readonly subscriptions: readonly PaidSubscription[]
  /** Where the service writes to; '' = nowhere. */
  readonly email: string
  /** Fingerprints of its cards, while a trial is on: the same card has the same, whoever pays with it. */
  readonly cards: readonly string[]
  /** When the oldest open invoice was finalised; 0: none is open. */
  readonly openSince: number
  /** Invoices above 0 that were paid, at most 3, and the total of the last. */
  readonly paidCount: number
  readonly lastTotal: number
  /** A payment is disputed, or was lost that way. */
  readonly isDisputed: boolean
  /** When the newest dispute that we lost began; 0: none was lost. */
  readonly lostAt: number
}

/** A customer that is gone, or that nothing is known of. */
export const noCustomer: CustomerState = {
  account: '',
  subscriptions: [],
  email: '',
  cards: [],
  openSince: 0,
  paidCount: 0,
  lastTotal: 0,
  isDisputed: false,
  lostAt: 0,
}

export type Invoice = {
  readonly id: string
  readonly number: string
  readonly state: 'draft' | 'open' | 'paid' | 'void' | 'uncollectible'
  readonly currency: string
  readonly createdAt: number
  readonly total: number
  readonly tax: number
  /** The service's page with the invoice, and the invoice as a file; '' for a draft. */
  readonly url: string
  readonly pdf: string
}

export type Change = {
  readonly subscription: PaidSubscription
  readonly items: readonly PricedItem[]
  /** From when on it is charged, whole seconds. */
  readonly at: number
}

/** An object that `billing sync` wants to be there. */
export type WantedPrice = {
  /** Lookup key, which names it for ever. */
  readonly key: string
  readonly product: string
  readonly title: string
  readonly currency: Currency
  /** Minor units; with up to 12 places for the metered one. */
  readonly amount: string
  readonly interval: Interval
  readonly taxBehavior: 'exclusive' | 'inclusive'
  /** The meter that counts; undefined: it is paid at the start of a period. */
  readonly meter?: string
}
export type FoundPrice = {
  readonly id: string
  readonly key: string
  readonly currency: string
  readonly amount: string
  readonly interval: string
  readonly taxBehavior: string
  readonly isMetered: boolean
  readonly isActive: boolean
}
export type FoundObjects = {
  readonly prices: readonly FoundPrice[]
  readonly products: readonly string[]
  readonly meters: readonly string[]
  /** Addresses of what is told: endpoints of events, and of thin ones. */
  readonly webhooks: readonly string[]
  readonly destinations: readonly string[]
  readonly hasPortal: boolean
}

export type ChangedCustomers = {
  /** `account`: whom we made it for; '' where an event alone names the customer. */
  readonly customers: readonly { readonly customer: string; readonly account: string }[]
  /** False: there were more than one question reads. */
  readonly isWhole: boolean
}

/**
 * @throws billing.unavailable, billing.refused from every call; billing.off from those of a server without a key.
 * `key` makes a repetition the same act.
 */
export interface Payments {
  readonly kind: 'none' | 'stripe'
  makeCustomer(account: string, email: string): Promise<string>
  readCustomer(customer: string): Promise<CustomerState>
  /** Who was made since then, and whom an event since then is about; events are there for 30 days. */
  changedSince(sinceMs: number): Promise<ChangedCustomers>
  /** @returns the address of the page where people pay, and the session's id */
  openCheckout(asked: {
    readonly customer: string
    readonly items: readonly PricedItem[]
    readonly currency: string
    readonly trialDays: number
    readonly returnUrl: string
    /** What is asked for. A page that is open for the same is used again; any other of the customer is closed. */
    readonly key: string
    /** 31 min to 24 h ahead. */
    readonly expiresAt: number
  }): Promise<{ readonly url: string }>
  openPortal(customer: string, returnUrl: string): Promise<{ readonly url: string }>
  /** What a change costs at once, with tax. */
  preview(customer: string, change: Change): Promise<{ readonly due: number; readonly currency: string }>
  /** Charges the difference now; it is in force when it is paid. Ends a planned change. */
  changeNow(change: Change, key: string): Promise<void>
  /** From the next period on. */
  changeLater(change: Omit<Change, 'at'>, key: string): Promise<void>
  /** At the end of the period. */
  cancelLater(subscription: PaidSubscription, key: string): Promise<void>
  /** Takes back a planned change or end. */
  keep(subscription: PaidSubscription, key: string): Promise<void>
  /**
   * At once; nothing more is charged, and nothing is given back. Repeating it changes nothing.
   * @param only `trial`: nothing happens when it is one no more
   */
  endNow(subscription: string, only: 'trial' | 'any'): Promise<void>
  /** At once, and what was used is charged. Repeating it changes nothing. */
  endCustomer(customer: string): Promise<void>
  /** Drafts of renewals are not final before then. */
  holdDrafts(customer: string, untilMs: number): Promise<void>
  listInvoices(customer: string): Promise<readonly Invoice[]>
  /** Lines of invoices that were made since then, without those of changes that nobody has paid. */
  listLines(customer: string, since: number): Promise<readonly ComparedLine[]>
  /** Megabytes that a meter has counted from hour to hour. */
  readUsage(asked: {
    readonly meter: string
    readonly customer: string
    readonly from: number
    readonly to: number
  }): Promise<number>
  /** The customer of a charge, '' when there is none. */
  customerOf(charge: string): Promise<string>
  /** Whole megabytes of an hour, cumulative: the value that arrived last counts. */
  report(asked: {
    readonly meter: string
    readonly customer: string
    readonly hour: number
    readonly megabytes: number
    readonly key: string
  }): Promise<void>
  findObjects(): Promise<FoundObjects>
  makeMeter(meter: string): Promise<void>
  makePrice(price: WantedPrice): Promise<void>
  makePortal(): Promise<void>
  /** For the events of event-types.ts. @returns the secret that signs its deliveries, shown once */
  makeWebhook(url: string): Promise<string>
  /** For the thin ones, which need an endpoint of their own. @returns its secret, shown once */
  makeDestination(url: string): Promise<string>
}
