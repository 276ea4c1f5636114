/** The agents of the account. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useServices } from './services.tsx'

const everyMs = 10_000
const agents = ['agents']

export function useAgents() {
  const { calls } = useServices()
  return useQuery({
    queryKey: agents,
    queryFn: ({ signal }) => calls.agents(signal),
    refetchInterval: everyMs,
  })
}

/** @param onStopped gets the names of the tunnels that it served */
export function useStopAgent({ onStopped }: { onStopped: (tunnels: readonly string[]) => void }) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: (id: string) => calls.stopAgent(id),
    onSuccess: async ({ tunnels }) => {
      await client.invalidateQueries({ queryKey: agents })
      onStopped(tunnels)
    },
  })
}
