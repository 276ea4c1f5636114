/** Checkout sessions that nobody completed. */
import type { Stripe } from 'stripe'
import type { Due } from './time.ts'
import type { World } from './world.ts'

export function sessionDue(world: World, session: Stripe.Checkout.Session): Due | undefined {
  if (session.status !== 'open') return undefined
  return { at: session.expires_at, act: () => expire(world, session) }
}

export function expire(world: World, session: Stripe.Checkout.Session): void {
  session.status = 'expired'
  session.url = null
  world.emit('checkout.session.expired', session)
}
