/** What the account pays, and what people do about it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Checkout, PlanChange } from './billing-calls.ts'
import { useServices } from './services.tsx'

const names = {
  billing: ['billing'],
  period: ['billing', 'period'],
  invoices: ['billing', 'invoices'],
} as const

/** @param may whether the person may read it */
export function useBilling(may: boolean) {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.billing,
    queryFn: ({ signal }) => calls.billing(signal),
    enabled: may,
    // Somebody who comes back from paying sees it within seconds.
    refetchInterval: 10_000,
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
