/** What operators read about abuse. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import type { ReportWish } from './operator-abuse-calls.ts'
import { useServices } from './services.tsx'

/** Acts of operator-queries.ts read everything below this again. */
const all = ['operator'] as const

/** @param address '' searches nothing */
export function useTunnelAt(address: string) {
  const { calls } = useServices()
  return useQuery({
    queryKey: [...all, 'tunnel-at', address],
    queryFn: ({ signal }) => calls.findTunnelAt(address, signal),
    enabled: address !== '',
  })
}

/** Looked at again while somebody waits for new ones. */
const reportsEveryMs = 30_000

export function useReports(wish: ReportWish) {
  const { calls } = useServices()
  return useInfiniteQuery({
    queryKey: [...all, 'reports', wish],
    queryFn: ({ pageParam, signal }) => calls.reports(wish, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
    refetchInterval: reportsEveryMs,
  })
}

export function useReport(id: string) {
  const { calls } = useServices()
  return useQuery({
    queryKey: [...all, 'report', id],
    queryFn: ({ signal }) => calls.report(id, signal),
  })
}

export function useTakedowns() {
  const { calls } = useServices()
  return useInfiniteQuery({
    queryKey: [...all, 'takedowns'],
    queryFn: ({ pageParam, signal }) => calls.takedowns(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
  })
}
