/** What operators read about the service, and how often it is read again while somebody looks. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import type { SecurityWish, Waiting } from './operator-service-calls.ts'
import { useServices } from './services.tsx'

/** Acts of operator-queries.ts read everything below this again. */
const all = ['operator'] as const
/** Relays report every 30 s. */
const relaysEveryMs = 15_000
const slowEveryMs = 60_000

type Page = { readonly next?: string | undefined }

function usePages<T extends Page>(
  key: readonly unknown[],
  read: (cursor: string | undefined, signal: AbortSignal) => Promise<T>,
  everyMs: number | false = false,
) {
  return useInfiniteQuery({
    queryKey: [...all, ...key],
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
    refetchInterval: everyMs,
  })
}

export function useCells(state: 'open' | 'closed') {
  const { calls } = useServices()
  return usePages(
    ['cells', state],
    (cursor, signal) => calls.operatorCells(state, cursor, signal),
    relaysEveryMs,
  )
}

export function useJobs(state: 'live' | 'dead') {
  const { calls } = useServices()
  return usePages(['jobs', state], (cursor, signal) => calls.jobs(state, cursor, signal))
}

export function useServiceAlerts(state: 'firing' | undefined) {
  const { calls } = useServices()
  return usePages(
    ['alerts', state],
    (cursor, signal) => calls.serviceAlerts(state, cursor, signal),
    slowEveryMs,
  )
}

export function useFlags() {
  const { calls } = useServices()
  return useQuery({ queryKey: [...all, 'flags'], queryFn: ({ signal }) => calls.flags(signal) })
}

export function useInvites() {
  const { calls } = useServices()
  return usePages(['invites'], (cursor, signal) => calls.invites(cursor, signal))
}

export function useWaiting(state: Waiting['state']) {
  const { calls } = useServices()
  return usePages(['waiting', state], (cursor, signal) => calls.waiting(state, cursor, signal))
}

export function useRevenue() {
  const { calls } = useServices()
  return useQuery({ queryKey: [...all, 'revenue'], queryFn: ({ signal }) => calls.revenue(signal) })
}

export function useActivity() {
  const { calls } = useServices()
  return useQuery({ queryKey: [...all, 'activity'], queryFn: ({ signal }) => calls.activity(signal) })
}

export function useTalkers(day: string | undefined) {
  const { calls } = useServices()
  return useQuery({ queryKey: [...all, 'talkers', day], queryFn: ({ signal }) => calls.talkers(day, signal) })
}

export function useSecurityEvents(wish: SecurityWish) {
  const { calls } = useServices()
  return usePages(
    ['security', wish],
    (cursor, signal) => calls.securityEvents(wish, cursor, signal),
    slowEveryMs,
  )
}

export function useDependencies() {
  const { calls } = useServices()
  return useQuery({
    queryKey: [...all, 'health'],
    queryFn: ({ signal }) => calls.dependencies(signal),
    refetchInterval: slowEveryMs,
  })
}
