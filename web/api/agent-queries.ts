/** The agents of the account. */
import { useQuery } from '@tanstack/react-query'
import { useServices } from './services.tsx'

const everyMs = 10_000

export function useAgents() {
  const { calls } = useServices()
  return useQuery({
    queryKey: ['agents'],
    queryFn: ({ signal }) => calls.agents(signal),
    refetchInterval: everyMs,
  })
}
