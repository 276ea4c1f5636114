/** Lines that wait for a customer's next invoice: prorations, and usage of an item that was taken away. */
import type { Stripe } from 'stripe'
import { type World, wireDecimal } from './world.ts'

export type PendingLine = {
  readonly subscription: string
  readonly item: string
  readonly price: Stripe.Price
  readonly quantity: number
  readonly amount: number
  readonly isProration: boolean
  readonly period: { readonly start: number; readonly end: number }
  readonly description: string
}

/** The line as an invoice has it, without taxes, which the invoice computes. */
export function lineOf(world: World, line: PendingLine, invoice: string | null): Stripe.InvoiceLineItem {
  const { price } = line
  return {
    id: world.id('il', 24),
    object: 'line_item',
    amount: line.amount,
    currency: price.currency,
    description: line.description,
    discount_amounts: [],
    discountable: !line.isProration,
    discounts: [],
    invoice,
    livemode: false,
    metadata: {},
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: line.isProration ? world.id('ii', 24) : null,
        proration: line.isProration,
        proration_details: line.isProration ? { credited_items: null } : null,
        subscription: line.subscription,
        subscription_item: line.item,
      },
      type: 'subscription_item_details',
    },
    period: { ...line.period },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: price.id, product: String(price.product) },
      type: 'price_details',
      unit_amount_decimal: price.unit_amount_decimal,
    },
    quantity: line.quantity,
    quantity_decimal: wireDecimal(String(line.quantity)),
    subscription: line.subscription,
    subtotal: line.amount,
    taxes: [],
  }
}
