/** What operators read and do: people, accounts, notes. After a change everything of theirs is read again. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useServices } from './services.tsx'

const all = ['operator'] as const

/** @param who '' searches nothing */
export function usePeopleSearch(who: string) {
  const { calls } = useServices()
  return useInfiniteQuery({
    queryKey: [...all, 'people', who],
    queryFn: ({ pageParam, signal }) => calls.searchPeople(who, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
    enabled: who !== '',
  })
}

/** @param who '' searches nothing */
export function useAccountSearch(who: string) {
  const { calls } = useServices()
  return useInfiniteQuery({
    queryKey: [...all, 'accounts', who],
    queryFn: ({ pageParam, signal }) => calls.searchAccounts(who, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
    enabled: who !== '',
  })
}

export function useOperatorPerson(id: string) {
  const { calls } = useServices()
  return useQuery({
    queryKey: [...all, 'person', id],
    queryFn: ({ signal }) => calls.personForOperator(id, signal),
  })
}

export function useOperatorAccount(id: string) {
  const { calls } = useServices()
  return useQuery({
    queryKey: [...all, 'account', id],
    queryFn: ({ signal }) => calls.accountForOperator(id, signal),
  })
}

export function useNotes(about: string) {
  const { calls } = useServices()
  return useQuery({
    queryKey: [...all, 'notes', about],
    queryFn: ({ signal }) => calls.notes(about, signal),
  })
}

/** Accounts that pay and differ from the payment service. */
export function useBillingDrift() {
  const { calls } = useServices()
  return useQuery({ queryKey: [...all, 'drift'], queryFn: ({ signal }) => calls.billingDrift(signal) })
}

/** The view that this operator has, perhaps in another tab. */
export function useViewNow() {
  const { calls } = useServices()
  return useQuery({ queryKey: [...all, 'view'], queryFn: ({ signal }) => calls.viewNow(signal) })
}

/** @param act what is done; everything of the operator is read again after it */
export function useOperatorAct<Wish>(act: (wish: Wish) => Promise<void>, onDone?: () => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: act,
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: all })
      onDone?.()
    },
  })
}

/** Begins a view and shows the console anew through it, so that nothing stays that was read before. */
export function useBeginView() {
  const { calls, view } = useServices()
  return useMutation({
    mutationFn: calls.beginView,
    onSuccess: (begun) => {
      view.begin(begun)
      location.assign('/')
    },
  })
}
