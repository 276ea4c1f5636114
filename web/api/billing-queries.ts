/** What the account pays, and what people do about it. */
import type { Billing } from '@porttunneler/shared/api/schemas/billing'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Checkout, PlanChange } from './billing-calls.ts'
import { useServices } from './services.tsx'

const names = {
  billing: ['billing'],
  period: ['billing', 'period'],
  invoices: ['billing', 'invoices'],
} as const

/** What else says what the account has: read anew when billing says that it is something else. */
const followers = [names.period, names.invoices, ['me'], ['account']] as const
const usualMs = 10_000
/** Somebody who comes back from paying waits for it. */
const eagerMs = 1_000

/** @param may whether the person may read it; `isEager`: a payment was made, and is not known here yet */
export function useBilling(may: boolean, isEager = false) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useQuery({
    queryKey: names.billing,
    queryFn: async ({ signal }) => {
      const before = client.getQueryData<Billing>(names.billing)
      const now = await calls.billing(signal)
      const known = client.getQueryData<{ readonly plan?: string }>(['me'])
      const isNews = before ? JSON.stringify(before) !== JSON.stringify(now) : known?.plan !== now.plan
      if (isNews) for (const queryKey of followers) void client.invalidateQueries({ queryKey })
      return now
    },
    enabled: may,
    refetchInterval: ({ state }) => (isEager && state.data?.state === 'free' ? eagerMs : usualMs),
  })
}

export function useBillingPeriod() {
  const { calls } = useServices()
  return useQuery({ queryKey: names.period, queryFn: ({ signal }) => calls.billingPeriod(signal) })
}

export function useInvoices() {
  const { calls } = useServices()
  return useQuery({ queryKey: names.invoices, queryFn: ({ signal }) => calls.invoices(signal) })
}

/** Leads to the payment service's page. */
export function usePayPage() {
  const { calls } = useServices()
  return useMutation({
    mutationFn: (wish: Checkout | 'portal') =>
      wish === 'portal' ? calls.openBillingPortal() : calls.startCheckout(wish),
    onSuccess: ({ url }) => location.assign(url),
  })
}

export function usePlanChange() {
  const { calls } = useServices()
  return useBillingChange((wish: PlanChange) => calls.changePlan(wish))
}

export function useTransferCap() {
  const { calls } = useServices()
  return useBillingChange((cap: string) => calls.setTransferCap(cap))
}

function useBillingChange<Wish, Answer>(change: (wish: Wish) => Promise<Answer>) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: async () => {
      const stale = [names.billing, ['me'], ['account']]
      await Promise.all(stale.map((queryKey) => client.invalidateQueries({ queryKey })))
    },
  })
}
