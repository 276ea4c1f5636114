/** The log as operators read it: in pages, or followed. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useEffect, useRef } from 'preact/hooks'
import type { LogLine } from './operator-service-calls.ts'
import { useServices } from './services.tsx'

const followEveryMs = 3_000
/** A line may be written down a moment after its time, at Google some seconds. */
const lateMs = 15_000
/** A tab that somebody forgot must not ask for days. */
const followMaxMs = 15 * 60_000
/** More would make the page slow; the search has the rest. */
const linesMax = 500

export function useLogs(query: string) {
  const { calls } = useServices()
  return useInfiniteQuery({
    queryKey: ['operator-logs', query],
    queryFn: ({ pageParam, signal }) => calls.logs(query, { cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
    // What was found stays as it is: older pages hang on it.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  })
}

export type Followed = { readonly lines: readonly LogLine[]; readonly isCut: boolean }

/** Asks for what was written since the newest line, every three seconds. @param onEnd after a quarter of an hour */
export function useFollowedLogs(query: string, onEnd: () => void) {
  const { calls, clock } = useServices()
  const seen = useRef<Followed>({ lines: [], isCut: false })
  const end = useRef(onEnd)
  end.current = onEnd
  useEffect(() => {
    seen.current = { lines: [], isCut: false }
    const timer = clock.after(followMaxMs, () => end.current())
    return () => timer.clear()
  }, [query, clock])
  return useQuery({
    queryKey: ['operator-logs-followed', query],
    queryFn: async ({ signal }) => {
      const newest = seen.current.lines[0]
      const from = newest && Math.max(0, newest.at - lateMs)
      const { items, next } = await calls.logs(query, { from }, signal)
      seen.current = joinLines(seen.current, items, newest !== undefined && next !== undefined)
      return seen.current
    },
    refetchInterval: followEveryMs,
    gcTime: 0,
  })
}

/** @param isGap whether lines between those before and the new ones were not read */
export function joinLines({ lines, isCut }: Followed, more: readonly LogLine[], isGap: boolean): Followed {
  const known = new Set(lines.map(({ id }) => id))
  const fresh = more.filter(({ id }) => !known.has(id))
  const all = [...fresh, ...lines].toSorted((a, b) => b.at - a.at)
  // A full page that overlaps what was there has no gap.
  const isLost = isGap && fresh.length === more.length
  return { lines: all.slice(0, linesMax), isCut: isCut || isLost || all.length > linesMax }
}
