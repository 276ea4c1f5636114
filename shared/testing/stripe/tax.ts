/** Tax as an account that sells in one country and the EU has it: docs.stripe.com/tax. */
import type { Stripe } from 'stripe'
import { taxIdsOf } from './customers.ts'
import { taxIn, taxOn } from './money.ts'
import { invalid } from './refusal.ts'
import type { World } from './world.ts'

type Rate = { readonly rate: string; readonly reason: Stripe.InvoiceLineItem.Tax['taxability_reason'] }

/** @throws Refusal when the place of the customer, or what a price includes, is not known */
export function checkTaxable(customer: Stripe.Customer, prices: readonly Stripe.Price[]): void {
  if (!customer.address?.country)
    throw invalid(
      "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate tax.",
      { param: 'automatic_tax', code: 'customer_tax_location_invalid' },
    )
  const unclear = prices.find(({ tax_behavior: behavior }) => behavior === 'unspecified')
  if (unclear)
    throw invalid(`The price ${unclear.id} needs a tax_behavior for automatic tax`, {
      param: 'automatic_tax',
    })
}

function rateFor(world: World, customer: Stripe.Customer): Rate {
  const country = customer.address?.country ?? ''
  if (customer.tax_exempt === 'exempt') return { rate: '0', reason: 'customer_exempt' }
  const isBusinessElsewhere =
    country !== world.settings.country && taxIdsOf(world, customer.id).some(({ type }) => type === 'eu_vat')
  if (customer.tax_exempt === 'reverse' || isBusinessElsewhere) return { rate: '0', reason: 'reverse_charge' }
  const rate = world.settings.taxRates[country]
  return rate === undefined ? { rate: '0', reason: 'not_collecting' } : { rate, reason: 'standard_rated' }
}

/** The taxes of a line. */
export function taxesOf(
  world: World,
  customer: Stripe.Customer,
  { amount, price }: { readonly amount: number; readonly price: Stripe.Price },
): Stripe.InvoiceLineItem.Tax[] {
  const { rate, reason } = rateFor(world, customer)
  const isInclusive = price.tax_behavior === 'inclusive'
  const tax = isInclusive ? taxIn(amount, rate) : taxOn(amount, rate)
  return [
    {
      amount: tax,
      tax_behavior: isInclusive ? 'inclusive' : 'exclusive',
      tax_rate_details: { tax_rate: `txr_${customer.address?.country ?? 'none'}` },
      taxability_reason: reason,
      taxable_amount: isInclusive ? amount - tax : amount,
      type: 'tax_rate_details',
    },
  ]
}
