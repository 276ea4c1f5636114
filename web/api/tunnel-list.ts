/**
 * The list of tunnels as the server orders and searches it: page by page as somebody scrolls, and only the pages on the
 * screen are asked for again. An answer that has not changed costs 304 and renders nothing.
 */
import type { Tunnel, TunnelCounts } from '@porttunneler/shared/api/schemas/tunnels'
import { useMutation, useQueries, useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'preact/hooks'
import type { TunnelPage, TunnelWish } from './calls.ts'
import { type ApiFailure, toFailure } from './failure.ts'
import { useServices } from './services.tsx'

const everyMs = 10_000
/** As many as the server gives in one answer. */
const tunnelsAPage = 100
/** Calls of one change of several, at a time. */
const atOnce = 4

export type TunnelList = {
  readonly items: readonly Tunnel[]
  readonly counts: TunnelCounts | undefined
  readonly isPending: boolean
  readonly failure: ApiFailure | undefined
  /** When it was read, if it could not be read again since. */
  readonly asOf: number | undefined
  readonly isFetching: boolean
  readonly hasMore: boolean
  readonly isLoadingMore: boolean
  /** Reads another page, unless one is on its way. */
  readonly loadMore: () => void
  readonly refetch: () => void
}

/** @param shown the first and last index of the items that are on the screen */
export function useTunnelList(wish: TunnelWish, shown: readonly [number, number]): TunnelList {
  const { calls } = useServices()
  const client = useQueryClient()
  const name = JSON.stringify(wish)
  const [asked, setAsked] = useState({ name, pages: 1 })
  const pages = asked.name === name ? asked.pages : 1
  const held = useRef<{ name: string; pages: (TunnelPage | undefined)[] }>({ name, pages: [] })
  if (held.current.name !== name) held.current = { name, pages: [] }
  const keyOf = (cursor: string | undefined) => ['tunnels', 'list', name, cursor ?? '']
  // Each page begins where the one before it ends now: a tunnel that comes up between two of them is in one of them.
  const cursors: (string | undefined)[] = [undefined]
  for (let at = 0; at < pages - 1; at += 1) {
    const page = client.getQueryData<TunnelPage>(keyOf(cursors[at])) ?? held.current.pages[at]
    if (page?.next === undefined) break
    cursors.push(page.next)
  }
  const isOnScreen = (at: number) => at <= shown[1] / tunnelsAPage && at + 1 > shown[0] / tunnelsAPage
  const results = useQueries({
    queries: cursors.map((cursor, at) => ({
      queryKey: keyOf(cursor),
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        calls.tunnelPage({ ...wish, cursor }, client.getQueryData<TunnelPage>(keyOf(cursor)), signal),
      // The first page has the counts.
      refetchInterval: at === 0 || isOnScreen(at) ? everyMs : (false as const),
    })),
  })
  held.current.pages = results.map(({ data }, at) => data ?? held.current.pages[at])
  const known = held.current.pages
  const [first] = results
  const last = known.at(-1)
  const isLoadingMore = results.some(({ isPending }, at) => isPending && at > 0)
  return {
    items: distinct(known.flatMap((page) => page?.items ?? [])),
    counts: known[0]?.counts,
    isPending: known[0] === undefined && first?.isPending === true,
    failure: failureOf(results),
    asOf: first?.isError && first.dataUpdatedAt > 0 ? first.dataUpdatedAt : undefined,
    isFetching: results.some(({ isFetching }) => isFetching),
    hasMore: last?.next !== undefined,
    isLoadingMore,
    loadMore: () => {
      if (!isLoadingMore && last?.next !== undefined) setAsked({ name, pages: cursors.length + 1 })
    },
    refetch: () => {
      for (const result of results) if (result.isError) void result.refetch()
    },
  }
}

function failureOf(results: readonly { readonly error: Error | null }[]): ApiFailure | undefined {
  const error = results.find((result) => result.error)?.error
  return error ? toFailure(error) : undefined
}

/** One that moved between two pages is in both until they are read again. */
function distinct(items: readonly Tunnel[]): readonly Tunnel[] {
  return [...new Map(items.map((tunnel) => [tunnel.id, tunnel])).values()]
}

type Changed = { readonly done: number; readonly failures: readonly ApiFailure[] }

/** Goes on after a failure, and says how many there were. */
async function changeEach<Item>(
  items: readonly Item[],
  change: (item: Item) => Promise<unknown>,
): Promise<Changed> {
  const failures: ApiFailure[] = []
  for (let from = 0; from < items.length; from += atOnce)
    for (const outcome of await Promise.allSettled(items.slice(from, from + atOnce).map(change)))
      if (outcome.status === 'rejected') failures.push(toFailure(outcome.reason))
  return { done: items.length - failures.length, failures }
}

export function useDeleteTunnels() {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: (ids: readonly string[]) => changeEach(ids, calls.deleteTunnel),
    onSettled: () => client.invalidateQueries({ queryKey: ['tunnels'] }),
  })
}

type TagChange = {
  readonly tunnels: readonly Tunnel[]
  readonly add: readonly string[]
  readonly remove: ReadonlySet<string>
}

/** Each tunnel keeps its other tags. */
export function useTagTunnels() {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ tunnels, add, remove }: TagChange) =>
      changeEach(tunnels, ({ id, tags = [], revision }) => {
        const kept = tags.filter((tag) => !remove.has(tag))
        return calls.updateTunnel(id, { tags: [...new Set([...kept, ...add])].sort() }, revision)
      }),
    onSettled: () => client.invalidateQueries({ queryKey: ['tunnels'] }),
  })
}
