/** Connections of a tunnel's visitors: open ones from its relays, kept ones from the API. */
import type { ConnectionPage, LiveConnections } from '@porttunneler/shared/api/schemas/connections'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { failureOf } from './failure.ts'
import { useMe } from './queries.ts'
import { useServices } from './services.tsx'

const liveEveryMs = 3_000
const relayDeadlineMs = 5_000

export type ConnectionFilter = {
  readonly address?: string
  readonly code?: string
  readonly failed?: 'true'
  readonly from?: number
}

/** Each relay's own list; one that does not answer is left out. */
export function useLiveConnections(tunnel: string) {
  const { live, view } = useServices()
  const mayWatch = useMe().data?.permissions.includes('live.read') ?? false
  return useQuery({
    queryKey: ['live-connections', tunnel],
    enabled: mayWatch && !view.now,
    refetchInterval: liveEveryMs,
    queryFn: async ({ signal }): Promise<LiveConnections> => {
      const { ticket, sources } = await live.grant(signal)
      const answers = await Promise.all(
        sources.map((source) => readRelay(`${source}/connections?tunnel=${tunnel}`, ticket, signal)),
      )
      const found = answers.filter((answer) => answer !== undefined)
      return {
        at: Math.max(0, ...found.map(({ at }) => at)),
        total: found.reduce((sum, { total }) => sum + total, 0),
        open: found.flatMap(({ open }) => open).sort((a, b) => b.startedAt - a.startedAt),
        ended: found.flatMap(({ ended }) => ended).sort((a, b) => b.endedAt - a.endedAt),
      }
    },
  })
}

async function readRelay(
  url: string,
  ticket: string,
  signal: AbortSignal,
): Promise<LiveConnections | undefined> {
  try {
    const answer = await fetch(url, {
      headers: { authorization: `Bearer ${ticket}`, accept: 'application/json' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(relayDeadlineMs)]),
      credentials: 'omit',
      cache: 'no-store',
    })
    if (!answer.ok) throw await failureOf(answer)
    return (await answer.json()) as LiveConnections
  } catch {
    return undefined
  }
}

export function useKeptConnections(tunnel: string, filter: ConnectionFilter) {
  const { calls } = useServices()
  const mayRead = useMe().data?.permissions.includes('live.read') ?? false
  return useInfiniteQuery({
    queryKey: ['connections', tunnel, filter],
    enabled: mayRead,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => calls.connections(tunnel, { ...filter, cursor: pageParam }, signal),
    getNextPageParam: (page: ConnectionPage) => page.next,
  })
}

/** Call it after they were erased. */
export function useForgetConnections(tunnel: string) {
  const client = useQueryClient()
  return () => client.invalidateQueries({ queryKey: ['connections', tunnel] })
}
