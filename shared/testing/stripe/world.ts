/**
 * Everything that the server knows, and its time. Objects are kept as they are on the wire; what people may not see
 * (how a card behaves, what a meter received) has maps of its own.
 */
import { createHash } from 'node:crypto'
import type { Stripe } from 'stripe'
import type { Clock } from '../../base/clock.ts'
import type { Card } from './cards.ts'
import type { Delivery } from './deliveries.ts'
import { emptyUsage, type Usage } from './meter-usage.ts'
import type { PendingLine } from './pending-lines.ts'
import { noSuch, Refusal } from './refusal.ts'
import type { Settings } from './settings.ts'

export const apiVersion = '2026-10-28.endive'

export type Tables = ReturnType<typeof emptyTables>
type Kept<T> = Map<string, T>

function emptyTables() {
  return {
    clocks: new Map() as Kept<Stripe.TestHelpers.TestClock>,
    customers: new Map() as Kept<Stripe.Customer>,
    balances: new Map() as Kept<Stripe.CustomerBalanceTransaction>,
    taxIds: new Map() as Kept<Stripe.TaxId>,
    products: new Map() as Kept<Stripe.Product>,
    prices: new Map() as Kept<Stripe.Price>,
    paymentMethods: new Map() as Kept<Stripe.PaymentMethod>,
    subscriptions: new Map() as Kept<Stripe.Subscription>,
    schedules: new Map() as Kept<Stripe.SubscriptionSchedule>,
    invoices: new Map() as Kept<Stripe.Invoice>,
    invoicePayments: new Map() as Kept<Stripe.InvoicePayment>,
    paymentIntents: new Map() as Kept<Stripe.PaymentIntent>,
    charges: new Map() as Kept<Stripe.Charge>,
    refunds: new Map() as Kept<Stripe.Refund>,
    creditNotes: new Map() as Kept<Stripe.CreditNote>,
    disputes: new Map() as Kept<Stripe.Dispute>,
    warnings: new Map() as Kept<Stripe.Radar.EarlyFraudWarning>,
    sessions: new Map() as Kept<Stripe.Checkout.Session>,
    portals: new Map() as Kept<Stripe.BillingPortal.Session>,
    portalConfigurations: new Map() as Kept<Stripe.BillingPortal.Configuration>,
    meters: new Map() as Kept<Stripe.Billing.Meter>,
    endpoints: new Map() as Kept<Stripe.WebhookEndpoint>,
    destinations: new Map() as Kept<Stripe.V2.Core.EventDestination>,
    events: new Map() as Kept<Stripe.Event>,
    thinEvents: new Map() as Kept<ThinEvent>,
  }
}

/** v2.core.event, as `GET /v2/core/events/:id` has it. */
export type ThinEvent = {
  readonly id: string
  readonly object: 'v2.core.event'
  readonly created: string
  readonly livemode: boolean
  readonly type: string
  readonly related_object: { readonly id: string; readonly type: string; readonly url: string } | null
  readonly data: object
}

type Previous = Record<string, unknown>
type Emitted = { readonly id: string; readonly object: string }
type Listener = (event: Stripe.Event) => void

export class World {
  readonly tables = emptyTables()
  readonly settings: Settings
  readonly clock: Clock
  /** By payment method. */
  readonly cards = new Map<string, Card>()
  /** Cards which a person has confirmed at their bank. */
  readonly confirmed = new Set<string>()
  /** Invoice -> its payment intent. */
  readonly intents = new Map<string, string>()
  /** By subscription: lines for its next invoice. */
  readonly pending = new Map<string, PendingLine[]>()
  /** By subscription: a change that takes effect when its invoice is paid. */
  readonly pendingUpdates = new Map<string, { readonly invoice: string; readonly apply: () => void }>()
  /** Subscriptions whose owners were told that the trial ends. */
  readonly toldOfTrial = new Set<string>()
  readonly usage: Usage = emptyUsage()
  readonly deliveries: Delivery[] = []
  /** The secret of an endpoint or destination, which no object shows again. */
  readonly signingSecrets = new Map<string, string>()
  /** Where pages of people are: "http://127.0.0.1:1234". */
  origin = ''
  /** What was asked, such as "POST /v1/customers", in order: for tests that count calls, which may empty it. */
  readonly requests: string[] = []
  /** The request that is being handled. */
  request: Stripe.Event.Request = { id: null, idempotency_key: null }
  /** Up to which second everything has happened, by test clock; null = the server's own. */
  readonly reached = new Map<string | null, number>()
  /** When the next thing is due, by test clock, as long as nothing changes. */
  readonly quietUntil = new Map<string | null, number>()
  /** Drafts and open invoices; those that are over leave it. */
  readonly unsettled = new Set<Stripe.Invoice>()
  readonly #seed: string
  readonly #listeners: Listener[] = []
  readonly #includes = new Map<string, (fields: Record<string, unknown>) => unknown>()
  #ids = 0
  /** While something happens at its own time, s. */
  #acting: number | undefined

  constructor({ clock, settings, seed }: { clock: Clock; settings: Settings; seed: string }) {
    this.clock = clock
    this.settings = settings
    this.#seed = seed
  }

  /** Unix seconds. */
  now(): number {
    return this.#acting ?? Math.floor(this.clock.now() / 1_000)
  }

  /** Something changed, so other things may be due than before. */
  touch(): void {
    this.quietUntil.clear()
  }

  /** Runs `act` as if it were `seconds`. */
  at<T>(seconds: number, act: () => T): T {
    const before = this.#acting
    this.#acting = seconds
    try {
      return act()
    } finally {
      this.#acting = before
    }
  }

  /** Runs `act` at the time of a test clock, if there is one. */
  onClock<T>(testClock: string | Stripe.TestHelpers.TestClock | null | undefined, act: () => T): T {
    if (this.#acting !== undefined || !testClock) return act()
    const clock = this.find('clocks', idOf(testClock), 'test clock')
    if (clock.status !== 'ready')
      throw new Refusal(429, {
        type: 'invalid_request_error',
        code: 'lock_timeout',
        message: 'Test clock advancement underway - cannot perform modifications',
      })
    return this.at(clock.frozen_time, act)
  }

  /** "cus_..." of 14 letters and digits: the same again in every run. */
  id(prefix: string, letters = 14): string {
    this.#ids += 1
    const digest = createHash('sha512').update(`${this.#seed}:${this.#ids}`).digest('base64')
    return `${prefix}_${digest.replace(/[+/=]/g, '').slice(0, letters)}`
  }

  /** @param param the parameter that named it; 'id' = the path @throws Refusal */
  find<K extends keyof Tables>(table: K, id: string, kind: string, param = 'id'): Row<K> {
    const found = this.tables[table].get(id) as Row<K> | undefined
    if (!found) throw noSuch(kind, id, param)
    return found
  }

  keep<K extends keyof Tables>(table: K, row: Row<K>): Row<K> {
    const rows = this.tables[table] as unknown as Map<string, Row<K>>
    rows.set(row.id, row)
    return row
  }

  /** In the order in which they were made. */
  all<K extends keyof Tables>(table: K): readonly Row<K>[] {
    return [...(this.tables[table] as unknown as Map<string, Row<K>>).values()]
  }

  lookUp(id: string): object | undefined {
    for (const table of Object.values(this.tables)) {
      const found = table.get(id)
      if (found) return found
    }
    return undefined
  }

  /** Fields which only `expand` shows. @param name such as "customer.subscriptions" */
  includes(name: string, make: (fields: Record<string, unknown>) => unknown): void {
    this.#includes.set(name, make)
  }

  include(object: string, field: string, fields: Record<string, unknown>): unknown {
    return this.#includes.get(`${object}.${field}`)?.(fields)
  }

  onEvent(listener: Listener): void {
    this.#listeners.push(listener)
  }

  emit(type: Stripe.Event['type'], object: Emitted, previous?: Previous): void {
    const base: Stripe.EventBase = {
      id: this.id('evt', 24),
      object: 'event',
      api_version: apiVersion,
      created: this.now(),
      data: { object: structuredClone(object), ...(previous && { previous_attributes: previous }) },
      livemode: false,
      pending_webhooks: 0,
      request: { ...this.request },
      type,
    }
    const event = base as Stripe.Event
    this.keep('events', event)
    for (const listener of this.#listeners) listener(event)
  }

  /** Changes an object, and reports what was there before. @returns whether anything changed */
  change<T extends Emitted>(type: Stripe.Event['type'], object: T, change: (object: T) => void): boolean {
    const before = structuredClone(object) as unknown as Previous
    change(object)
    const after = object as unknown as Previous
    const previous = Object.fromEntries(
      [...new Set([...Object.keys(before), ...Object.keys(after)])]
        .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
        .map((key) => [key, before[key] ?? null]),
    )
    if (Object.keys(previous).length === 0) return false
    this.emit(type, object, previous)
    return true
  }
}

type Row<K extends keyof Tables> =
  Tables[K] extends Map<string, infer T extends { readonly id: string }> ? T : never

export function idOf(reference: string | { readonly id: string }): string {
  return typeof reference === 'string' ? reference : reference.id
}

/** The SDK turns decimals into objects; on the wire they are texts. */
export function wireDecimal(text: string): Stripe.Decimal {
  return text as unknown as Stripe.Decimal
}

/** '' takes all away, and a key with '' takes that one away. */
export function mergedMetadata(
  before: Stripe.Metadata | null,
  change: '' | Readonly<Record<string, string>> | undefined,
): Stripe.Metadata {
  if (change === undefined) return before ?? {}
  if (change === '') return {}
  return Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== ''))
}
