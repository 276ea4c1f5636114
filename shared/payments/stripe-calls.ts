/**
 * How Stripe is called: with a deadline, a pinned version of its API, and every failure as one of our codes. The SDK
 * repeats requests that got no answer, with the same idempotency key.
 */

import Stripe from 'stripe'
import { fail, type PortTunnelerError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'

export type StripeOptions = {
  readonly key: Secret
  /** For tests: another place than Stripe's. */
  readonly server?: Pick<Stripe.StripeConfig & object, 'host' | 'port' | 'protocol'>
}

/** As money.md, section 2: the SDK's types are of this version. */
const apiVersion = '2026-10-28.endive'
const deadlineMs = 10_000
const retriesMax = 2

export function openStripe({ key, server }: StripeOptions): Stripe {
  return new Stripe(key.reveal(), {
    apiVersion,
    timeout: deadlineMs,
    maxNetworkRetries: retriesMax,
    telemetry: false,
    ...server,
  })
}

/** @throws billing.refused for what Stripe does not do, with its words; billing.unavailable for the rest */
export async function ask<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    throw asFailure(cause)
  }
}

function asFailure(cause: unknown): PortTunnelerError {
  const { errors } = Stripe
  if (cause instanceof errors.StripeCardError) return fail('billing.declined', sentence(cause), { cause })
  if (cause instanceof errors.StripeAuthenticationError || cause instanceof errors.StripePermissionError)
    return fail('billing.key', undefined, { cause })
  if (cause instanceof errors.StripeInvalidRequestError || cause instanceof errors.StripeIdempotencyError)
    return fail('billing.refused', sentence(cause), { cause })
  return fail('billing.unavailable', undefined, { cause })
}

/** Its messages are for people; long ones are cut. */
function sentence({ message }: Error): string {
  return message.slice(0, 300)
}

/** Whether Stripe says that it has no such object. */
export function isMissing(cause: unknown): boolean {
  return cause instanceof Stripe.errors.StripeInvalidRequestError && cause.code === 'resource_missing'
}

export function toMs(seconds: number | null | undefined): number {
  return (seconds ?? 0) * 1_000
}

export function toSeconds(ms: number): number {
  return Math.floor(ms / 1_000)
}
