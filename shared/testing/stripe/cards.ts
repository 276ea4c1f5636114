/** Stripe's test cards (docs.stripe.com/testing), by the names that the API takes and the numbers that people type. */
import { createHash } from 'node:crypto'

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

const declined = (decline: string, message = 'Your card was declined.', code = 'card_declined'): Decline => ({
  code,
  decline,
  message,
})
const visa = (number: string, rest: Partial<Card> = {}): Card => ({
  number,
  brand: 'visa',
  country: 'US',
  ...rest,
})

const byName: Readonly<Record<string, Card>> = {
  pm_card_visa: visa('4242424242424242'),
  pm_card_visa_debit: visa('4000056655665556'),
  pm_card_mastercard: { ...visa('5555555555554444'), brand: 'mastercard' },
  pm_card_de: visa('4000002760000016', { country: 'DE' }),
  pm_card_chargeDeclined: visa('4000000000000002', { attach: declined('generic_decline') }),
  pm_card_chargeDeclinedInsufficientFunds: visa('4000000000009995', {
    attach: declined('insufficient_funds', 'Your card has insufficient funds.'),
  }),
  pm_card_chargeDeclinedExpiredCard: visa('4000000000000069', {
    attach: declined('expired_card', 'Your card has expired.', 'expired_card'),
  }),
  pm_card_chargeCustomerFail: visa('4000000000000341', { charge: declined('generic_decline') }),
  pm_card_authenticationRequiredOnSetup: visa('4000002500003155', { asks: 'once' }),
  pm_card_authenticationRequired: visa('4000002760003184', { asks: 'always' }),
  pm_card_createDispute: visa('4000000000000259', { later: 'fraudulent' }),
  pm_card_createDisputeProductNotReceived: visa('4000000000002685', { later: 'product_not_received' }),
  pm_card_createDisputeInquiry: visa('4000000000001976', { later: 'inquiry' }),
  pm_card_createIssuerFraudRecord: visa('4000000000005423', { later: 'warning' }),
}

export function cardNamed(name: string): Card | undefined {
  return Object.hasOwn(byName, name) ? byName[name] : undefined
}

/** @param typed with or without spaces */
export function cardNumbered(typed: string): Card | undefined {
  const number = typed.replaceAll(' ', '')
  return Object.values(byName).find((card) => card.number === number)
}

/** The same for a card wherever it comes from: that is what trials are counted by. @param owner '' = whoever has it */
export function fingerprintOf({ number }: Card, owner: string): string {
  return createHash('sha256')
    .update(number)
    .update(owner)
    .digest('base64url')
    .replace(/[-_]/g, '')
    .slice(0, 16)
}
