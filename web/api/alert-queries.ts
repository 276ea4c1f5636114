/** The account's alerts, the rules that make them, times of maintenance, and what people do with these. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { AlertAct, AlertPage, AlertWish, RulesWish, WindowWish } from './alert-calls.ts'
import { useMe } from './queries.ts'
import { useServices } from './services.tsx'

const queryKey = ['alerts']
const rulesKey = ['alert-rules']
const maintenanceKey = ['maintenance']
const everyMs = 30_000
/** On every page, so it asks less often: a mail has said it already, or says it within a minute. */
const countEveryMs = 60_000

export function useAlerts(wish: AlertWish) {
  const { calls } = useServices()
  return useInfiniteQuery({
    queryKey: [...queryKey, 'list', wish],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => calls.alerts({ ...wish, cursor: pageParam }, signal),
    getNextPageParam: (page: AlertPage) => page.next,
    refetchInterval: everyMs,
  })
}

export function useAlert(id: string) {
  const { calls } = useServices()
  return useQuery({
    queryKey: [...queryKey, 'one', id],
    queryFn: ({ signal }) => calls.alert(id, signal),
    refetchInterval: everyMs,
  })
}

/** For people who may see alerts. */
export function useAlertCount() {
  const { calls } = useServices()
  const mayRead = useMe().data?.permissions.includes('tunnels.read') ?? false
  return useQuery({
    queryKey: [...queryKey, 'count'],
    queryFn: ({ signal }) => calls.alertCount(signal),
    enabled: mayRead,
    refetchInterval: countEveryMs,
    staleTime: everyMs,
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

export function useAlertRules() {
  const { calls } = useServices()
  return useQuery({ queryKey: rulesKey, queryFn: ({ signal }) => calls.alertRules(signal) })
}

export function useSetAlertRules() {
  const { calls } = useServices()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ wish, revision }: { wish: RulesWish; revision: number }) =>
      calls.setAlertRules(wish, revision),
    onSuccess: (rules) => queries.setQueryData(rulesKey, rules),
  })
}

export function useMaintenance() {
  const { calls } = useServices()
  return useQuery({
    queryKey: maintenanceKey,
    queryFn: ({ signal }) => calls.maintenance(signal),
    refetchInterval: everyMs,
  })
}

export function useAddMaintenance() {
  const { calls } = useServices()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (wish: WindowWish) => calls.addMaintenance(wish),
    onSuccess: () => queries.invalidateQueries({ queryKey: maintenanceKey }),
  })
}

export function useRemoveMaintenance() {
  const { calls } = useServices()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (id: string) => calls.removeMaintenance(id),
    onSettled: () => queries.invalidateQueries({ queryKey: maintenanceKey }),
  })
}
