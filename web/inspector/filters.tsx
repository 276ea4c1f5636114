/** What narrows the list. Each field is part of the address. */
import type { Filter } from './api.ts'

const statuses = [
  ['', 'Any status'],
  ['2xx', '2xx success'],
  ['3xx', '3xx elsewhere'],
  ['4xx', '4xx refused'],
  ['5xx', '5xx failed'],
  ['error', 'All that failed'],
  ['none', 'No answer yet'],
] as const

const control =
  'h-9 min-w-0 rounded-lg border border-edge bg-surface px-2 text-sm text-text placeholder:text-muted'

export function Filters({
  tunnels,
  filter,
  onFilter,
}: {
  tunnels: readonly string[]
  filter: Filter
  onFilter: (filter: Filter) => void
}) {
  const change = (key: keyof Filter, value: string) => {
    const { [key]: _old, ...rest } = filter
    onFilter(value === '' ? rest : { ...rest, [key]: value })
  }
  const text = (key: 'path' | 'header' | 'body', label: string) => (
    <input
      key={key}
      type="search"
      aria-label={label}
      placeholder={label}
      class={`${control} flex-1 basis-32`}
      value={filter[key] ?? ''}
      onInput={({ currentTarget }) => change(key, currentTarget.value)}
    />
  )
  return (
    <search class="flex flex-wrap gap-2 border-b border-line p-2">
      {tunnels.length > 1 && (
        <select
          aria-label="Tunnel"
          class={`${control} max-w-40`}
          value={filter.tunnel ?? ''}
          onChange={({ currentTarget }) => change('tunnel', currentTarget.value)}
        >
          <option value="">All tunnels</option>
          {tunnels.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
      <select
        aria-label="Status"
        class={control}
        value={filter.status ?? ''}
        onChange={({ currentTarget }) => change('status', currentTarget.value)}
      >
        {statuses.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      {text('path', 'Path has')}
      {text('header', 'A header has')}
      {text('body', 'A body has')}
      <label class="flex items-center gap-1.5 text-sm">
        <input
          type="checkbox"
          checked={filter.pinned !== undefined}
          onChange={({ currentTarget }) => change('pinned', currentTarget.checked ? 'true' : '')}
        />
        Pinned
      </label>
    </search>
  )
}
