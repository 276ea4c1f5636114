/** The real SDK, to do at a test server what people and operators do there by hand. */
import Stripe from 'stripe'
import type { StripeServer } from './server.ts'

export function sdkOf({ key, sdk }: Pick<StripeServer, 'key' | 'sdk'>): Stripe {
  return new Stripe(key, { ...sdk, maxNetworkRetries: 0 })
}
