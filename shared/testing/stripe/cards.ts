/** Stripe's test cards (docs.stripe.com/testing), by the names that the API takes and the numbers that people type. */
/** What happens when money is asked for. */
export type Card = {
  readonly number: string
  readonly brand: 'visa' | 'mastercard'
  readonly country: string
  /** Attaching and every charge are refused with this; undefined: they work. */
  readonly attach?: Decline
  /** Attaching works, charges do not. */
  readonly charge?: Decline
  /** 'once': the first payment asks, later ones without the person pass; 'always': those fail too. */
  readonly asks?: 'once' | 'always'
  /** What comes after a charge that worked. */
  readonly later?: 'fraudulent' | 'product_not_received' | 'inquiry' | 'warning'
}
export type Decline = { readonly code: string; readonly decline: string; readonly message: string }
