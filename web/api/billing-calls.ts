/** The console's calls about paying. Used by calls.ts. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Requests } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
export type Checkout = Parameters<Client['startCheckout']>[0]
export type PlanChange = Parameters<Client['changePlan']>[0]

export function billingCalls(request: Requests) {
  const read = <T>(path: string, signal?: AbortSignal) => request<T>('GET', path, { signal })
  return {
    billing: (signal?: AbortSignal) => read<AnswerOf<'billing'>>('/v1/billing', signal),
    billingPeriod: (signal?: AbortSignal) => read<AnswerOf<'billingPeriod'>>('/v1/billing/period', signal),
    invoices: (signal?: AbortSignal) => read<AnswerOf<'invoices'>>('/v1/billing/invoices', signal),
    startCheckout: (body: Checkout) =>
      request<AnswerOf<'startCheckout'>>('POST', '/v1/billing/checkout', { body }),
    openBillingPortal: () => request<AnswerOf<'openBillingPortal'>>('POST', '/v1/billing/portal'),
    changePlan: (body: PlanChange) => request<AnswerOf<'changePlan'>>('POST', '/v1/billing/change', { body }),
    setTransferCap: (cap: string) => request<void>('POST', '/v1/billing/cap', { body: { cap } }),
  }
}
