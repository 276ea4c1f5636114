/** What tunnels carried, and how they are called. */
import { useQuery } from '@tanstack/react-query'
import { readAllPages } from './all-pages.ts'
import { useServices } from './services.tsx'

const hourMs = 3_600_000
/** The service counts anew about once a minute. */
const staleMs = 60_000

/** @param hours how many of the last, this one included: at most 31 days */
export function useUsage(hours: number) {
  const { calls, clock } = useServices()
  return useQuery({
    queryKey: ['usage', hours],
    queryFn: ({ signal }) => {
      const to = clock.now()
      return calls.usage({ from: Math.floor(to / hourMs) * hourMs - (hours - 1) * hourMs, to }, signal)
    },
    staleTime: staleMs,
    refetchInterval: staleMs,
  })
}

/** By their ids. One that was deleted has no name. */
export function useTunnelNames() {
  const { calls } = useServices()
  return useQuery({
    queryKey: ['tunnels', 'names'],
    queryFn: async ({ signal }) => {
      const { items } = await readAllPages(calls.tunnels, signal)
      return new Map(items.map(({ id, name }) => [id, name]))
    },
    staleTime: staleMs,
  })
}
