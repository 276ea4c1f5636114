/** What the list of tunnels shows and in which order: kept in the address, so that a view can be kept and sent. */
import { stateWord, type TunnelState } from '@porttunneler/shared/api/schemas/tunnel-words'
import { useEffect, useRef, useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import type { TunnelWish } from '../api/calls.ts'
import { Icon } from '../parts/icon.tsx'

/** A search begins when somebody has stopped typing for this long. */
const typingMs = 250
/** Not the bare word: that is what a row says. */
const only = (state: TunnelState) => `Only ${stateWord(state).toLowerCase()}`
const states = {
  trouble: { label: 'Needs a look', states: ['upstream_failing', 'refused', 'degraded'] },
  healthy: { label: only('healthy'), states: ['healthy'] },
  connecting: { label: only('connecting'), states: ['connecting'] },
  offline: { label: only('offline'), states: ['offline'] },
  never_used: { label: only('never_used'), states: ['never_used'] },
} as const satisfies Record<string, { label: string; states: readonly TunnelState[] }>
const kinds = { http: 'HTTP', tcp: 'TCP', tls: 'TLS' } as const
const orders = { trouble: 'Trouble first', name: 'By name', newest: 'Newest first' } as const

export type Filter = {
  readonly search: string
  readonly state: keyof typeof states | ''
  readonly kind: keyof typeof kinds | ''
  readonly tag: string
  readonly sort: keyof typeof orders
  /** Also the never-used ones, which are folded otherwise. */
  readonly isUnfolded: boolean
}

export function readFilter(search: string): Filter {
  const query = new URLSearchParams(search)
  const oneOf = <T extends object>(name: string, of: T) => {
    const value = query.get(name) ?? ''
    return Object.hasOwn(of, value) ? (value as keyof T) : undefined
  }
  return {
    search: (query.get('search') ?? '').slice(0, 100),
    state: oneOf('state', states) ?? '',
    kind: oneOf('kind', kinds) ?? '',
    tag: (query.get('tag') ?? '').slice(0, 32),
    sort: oneOf('sort', orders) ?? 'trouble',
    isUnfolded: query.get('all') === 'yes',
  }
}

/** What is as usual stays out of the address. */
export function writeFilter({ search, state, kind, tag, sort, isUnfolded }: Filter): string {
  const query = new URLSearchParams({
    ...(search.trim() !== '' && { search: search.trim() }),
    ...(state !== '' && { state }),
    ...(kind !== '' && { kind }),
    ...(tag !== '' && { tag }),
    ...(sort !== 'trouble' && { sort }),
    ...(isUnfolded && { all: 'yes' }),
  }).toString()
  return query === '' ? '' : `?${query}`
}

export function wishOf({ search, state, kind, tag, sort }: Filter): TunnelWish {
  return {
    sort,
    ...(search.trim() !== '' && { search: search.trim() }),
    ...(state !== '' && { state: states[state].states }),
    ...(kind !== '' && { kind }),
    ...(tag !== '' && { tag }),
  }
}

export function isNarrowed({ search, state, kind, tag }: Filter): boolean {
  return search.trim() !== '' || state !== '' || kind !== '' || tag !== ''
}

/** The filter of the address, and the way to change it, which leaves no trail in the browser's history. */
export function useFilter(): readonly [Filter, (change: Partial<Filter>) => void] {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const filter = readFilter(search)
  const change = (changes: Partial<Filter>) =>
    navigate(`${path}${writeFilter({ ...filter, ...changes })}`, { replace: true })
  return [filter, change]
}

const control = 'h-9 rounded-md border border-edge bg-surface px-2.5 text-sm text-text'

export function FilterBar({
  filter,
  onChange,
}: {
  filter: Filter
  onChange: (change: Partial<Filter>) => void
}) {
  return (
    <search class="flex flex-wrap items-center gap-2">
      <SearchField value={filter.search} onChange={(search) => onChange({ search })} />
      <Choice
        label="State"
        value={filter.state}
        options={[
          ['', 'State'],
          ...Object.entries(states).map(([value, { label }]) => [value, label] as const),
        ]}
        onChange={(state) => onChange({ state: state as Filter['state'] })}
      />
      <Choice
        label="Kind"
        value={filter.kind}
        options={[['', 'Kind'], ...Object.entries(kinds)]}
        onChange={(kind) => onChange({ kind: kind as Filter['kind'] })}
      />
      {filter.tag !== '' && (
        <button
          type="button"
          aria-label={`Tag ${filter.tag}: show all tags`}
          class={`${control} inline-flex items-center gap-1.5 border-accent text-accent hover:bg-raised`}
          onClick={() => onChange({ tag: '' })}
        >
          {filter.tag}
          <Icon name="close" size={14} />
        </button>
      )}
      <Choice
        label="Order"
        isWhole
        value={filter.sort}
        options={Object.entries(orders)}
        onChange={(sort) => onChange({ sort: sort as Filter['sort'] })}
      />
    </search>
  )
}

function SearchField({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  const [text, setText] = useState(value)
  const timer = useRef<ReturnType<typeof setTimeout>>()
  const sent = useRef(value)
  // The address may change by itself: back, or a link that shows all.
  useEffect(() => {
    if (value !== sent.current) setText(value)
    sent.current = value
  }, [value])
  useEffect(() => () => clearTimeout(timer.current), [])
  const type = (typed: string) => {
    setText(typed)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => {
      sent.current = typed.trim()
      onChange(typed)
    }, typingMs)
  }
  return (
    <input
      type="search"
      aria-label="Search tunnels"
      placeholder="Name, tag, address or id"
      maxLength={100}
      spellcheck={false}
      autocomplete="off"
      class={`${control} w-full placeholder:text-muted sm:w-64`}
      value={text}
      onInput={(event) => type(event.currentTarget.value)}
    />
  )
}

function Choice({
  label,
  value,
  options,
  isWhole = false,
  onChange,
}: {
  label: string
  value: string
  options: readonly (readonly [value: string, label: string])[]
  /** It is not narrowed on a phone. */
  isWhole?: boolean
  onChange: (value: string) => void
}) {
  return (
    <select
      aria-label={label}
      class={`${control} min-w-0 ${isWhole ? 'flex-none' : 'flex-1 sm:flex-none'}`}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {options.map(([each, text]) => (
        <option key={each} value={each}>
          {text}
        </option>
      ))}
    </select>
  )
}
