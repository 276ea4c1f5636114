/** Which request is open and how the list is filtered, kept in the address, so that links and Back work. */
import { useEffect, useState } from 'preact/hooks'
import type { Filter } from './api.ts'

export type Place = {
  readonly view: 'requests' | 'connections'
  readonly id: number | undefined
  readonly filter: Filter
}

const filterKeys = ['tunnel', 'status', 'path', 'header', 'body', 'pinned'] as const

export function placeOf({ pathname, search }: Pick<Location, 'pathname' | 'search'>): Place {
  const query = new URLSearchParams(search)
  const filter = Object.fromEntries(
    filterKeys.flatMap((key) => (query.get(key) ? [[key, query.get(key)]] : [])),
  )
  const id = /^\/requests\/(\d+)$/.exec(pathname)?.[1]
  return {
    view: pathname === '/connections' ? 'connections' : 'requests',
    id: id ? Number(id) : undefined,
    filter,
  }
}

export function addressOf({ view, id, filter }: Place): string {
  const query = new URLSearchParams(filter).toString()
  const path = view === 'connections' ? '/connections' : id === undefined ? '/' : `/requests/${id}`
  return query === '' ? path : `${path}?${query}`
}

/** @returns the place, and how to go to another; `isStep`: Back leads here again */
export function usePlace(): readonly [Place, (next: Partial<Place>, isStep?: boolean) => void] {
  const [place, setPlace] = useState(() => placeOf(location))
  useEffect(() => {
    const onPop = () => setPlace(placeOf(location))
    addEventListener('popstate', onPop)
    return () => removeEventListener('popstate', onPop)
  }, [])
  const go = (change: Partial<Place>, isStep = true) => {
    const next = { ...place, ...change }
    history[isStep ? 'pushState' : 'replaceState'](null, '', addressOf(next))
    setPlace(next)
  }
  return [place, go]
}
