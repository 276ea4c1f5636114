/** Lines that wait for a customer's next invoice: prorations, and usage of an item that was taken away. */
import type { Stripe } from 'stripe'

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
