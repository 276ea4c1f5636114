/** The client's calls about paying. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing } from './client-call.ts'
import * as billing from './schemas/billing.ts'

export function billingCalls(options: ClientOptions) {
  const read = <T>(path: string, answer: z.ZodType<T>, o?: CallOptions) =>
    call(options, { method: 'GET', path, answer }, o)
  const post = <T>(path: string, answer: z.ZodType<T>, json: unknown, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer, json }, o)
  return {
    billing: (o?: CallOptions) => read('/v1/billing', billing.billingSchema, o),
    billingPeriod: (o?: CallOptions) => read('/v1/billing/period', billing.billingPeriodSchema, o),
    invoices: (o?: CallOptions) => read('/v1/billing/invoices', billing.invoicesSchema, o),
    /** @returns the page where it is paid */
    startCheckout: (json: z.input<typeof billing.checkoutSchema>, o?: CallOptions) =>
      post('/v1/billing/checkout', billing.pageLinkSchema, json, o),
    openBillingPortal: (o?: CallOptions) => post('/v1/billing/portal', billing.pageLinkSchema, undefined, o),
    changePlan: (json: z.input<typeof billing.planChangeSchema>, o?: CallOptions) =>
      post('/v1/billing/change', billing.planChangedSchema, json, o),
    setTransferCap: (json: z.input<typeof billing.capSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/billing/cap', answer: nothing, json }, o),
  }
}
