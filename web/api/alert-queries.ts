/** The account's alerts, and what people do with them. */
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import type { AlertAct, AlertPage, AlertWish } from './alert-calls.ts'
import { useServices } from './services.tsx'

const queryKey = ['alerts']
const everyMs = 30_000

export function useAlerts(wish: AlertWish) {
  const { calls } = useServices()
  return useInfiniteQuery({
    queryKey: [...queryKey, wish],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => calls.alerts({ ...wish, cursor: pageParam }, signal),
    getNextPageParam: (page: AlertPage) => page.next,
    refetchInterval: everyMs,
  })
}

export function useActOnAlert(id: string) {
  const { calls } = useServices()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (act: AlertAct) => calls.actOnAlert(id, act),
    onSettled: () => queries.invalidateQueries({ queryKey }),
  })
}
