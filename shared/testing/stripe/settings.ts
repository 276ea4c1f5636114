/** What an operator sets in Stripe's Dashboard and no API changes. */

export type Settings = {
  /** ISO code of the account's country: its own tax is charged there. */
  readonly country: string
  /** Seconds that invoices of a renewal stay drafts, unless they say otherwise; Stripe's default is an hour. */
  readonly finalizeAfter: number
  /** Seconds after the first try at which a failed payment is tried again. */
  readonly retryAfter: readonly number[]
  /** What becomes of the subscription when the last try failed. */
  readonly afterRetries: 'cancel' | 'unpaid' | 'past_due'
  /** Tax by ISO country; others have none. */
  readonly taxRates: Readonly<Record<string, string>>
  /** The least that is charged, by currency; less goes to the customer's balance (docs.stripe.com/currencies). */
  readonly chargeMin: Readonly<Record<string, number>>
  /** Requests in a second of the server's clock; undefined = any number. A sandbox has 25. */
  readonly ratePerSecond: number | undefined
  /**
   * Whether a test number is one card, as at Stripe, or each customer's own: people's cards differ, and there are few
   * test numbers.
   */
  readonly cardsAre: 'numbers' | 'own'
  /** Webhooks may go to addresses which only this machine can reach. */
  readonly localWebhooks: boolean
}

const day = 86_400

/** As money.md, rule 7, wants it: two weeks of tries, then the end. */
export const defaultSettings: Settings = {
  country: 'DE',
  finalizeAfter: 6 * 3_600,
  retryAfter: [3 * day, 5 * day, 7 * day, 14 * day],
  afterRetries: 'cancel',
  taxRates: { DE: '0.19', FR: '0.20', HU: '0.27' },
  chargeMin: { usd: 50, eur: 50, gbp: 30 },
  ratePerSecond: undefined,
  cardsAre: 'own',
  localWebhooks: false,
}
