/** The operator's documents that the signed-in person accepts. */
import type { OwnTerms } from '@porttunneler/shared/api/schemas/terms'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useConfig } from './queries.ts'
import { useServices } from './services.tsx'

const queryKey = ['terms']
const laterKey = ['terms-later']

/** Asks nothing where the service has no such documents. */
export function useOwnTerms() {
  const { calls } = useServices()
  const { terms = [] } = useConfig().data ?? {}
  return useQuery({
    queryKey,
    queryFn: ({ signal }) => calls.terms(signal),
    enabled: terms.length > 0,
    staleTime: 60_000,
  })
}

/** Where own data, and one's own sign-in, are looked after. */
export function goesOnWithoutTerms(path: string): boolean {
  return /^\/(?:account|data|security|reset-password|confirm-address|stop-address|sign-in\/.*)$/.test(path)
}

/** Whether something waits for the person that they have not put off. */
export function useTermsWait(): boolean {
  const terms = useOwnTerms()
  const later = useQuery({
    queryKey: laterKey,
    queryFn: () => false,
    initialData: false,
    staleTime: Number.POSITIVE_INFINITY,
  })
  return terms.data?.dueAt !== undefined && !later.data
}

/** Until the page is loaded anew. */
export function usePutOffTerms(): () => void {
  const client = useQueryClient()
  return () => void client.setQueryData(laterKey, true)
}

/** Accepts what is open of the given versions: those that were shown. */
export function useAcceptTerms(onAccepted: () => void) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ items }: OwnTerms) => calls.acceptTerms({ accept: openOf(items) }),
    onSuccess: (now) => {
      client.setQueryData(queryKey, now)
      void client.invalidateQueries({ queryKey: ['me'] })
      onAccepted()
    },
    // They may have changed while the page was open.
    onError: () => client.invalidateQueries({ queryKey }),
  })
}

function openOf(items: OwnTerms['items']) {
  return items.flatMap(({ kind, version, dueAt }) => (dueAt === undefined ? [] : [{ kind, version }]))
}
