/** What of the audit log is shown: a span of days, and one of action, person and thing. */
import { useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import type { AuditWish } from '../api/calls.ts'
import { Button } from '../parts/button.tsx'
import { SelectField, TextField } from '../parts/field.tsx'

const by = { action: 'Action', actor: 'Who', target: 'What it was done to' } as const
type By = keyof typeof by
const dayMs = 24 * 3_600_000

/** Kept in the address, so that a search can be sent to somebody. */
export function useAuditWish(): readonly [AuditWish, (wish: AuditWish) => void] {
  const query = new URLSearchParams(useSearch())
  const [path, navigate] = useLocation()
  const name = (Object.keys(by) as By[]).find((one) => query.get(one))
  const [from, to] = [timeIn(query, 'from'), timeIn(query, 'to')]
  const wish = {
    ...(name && { [name]: (query.get(name) ?? '').slice(0, 128) }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  }
  const change = (next: AuditWish) => {
    const texts = Object.entries(next).map(([field, value]) => [field, `${value}`])
    navigate(`${path}?${new URLSearchParams(texts)}`, { replace: true })
  }
  return [wish, change]
}

function timeIn(query: URLSearchParams, name: 'from' | 'to'): number | undefined {
  const value = Number(query.get(name))
  return Number.isSafeInteger(value) && value > 0 ? value : undefined
}

const dayOf = (ms: number | undefined) => (ms === undefined ? '' : new Date(ms).toISOString().slice(0, 10))

/** The ends of the days in UTC, as the log counts them. */
function spanOf(from: string, to: string): Pick<AuditWish, 'from' | 'to'> {
  const [begin, end] = [Date.parse(`${from}T00:00:00Z`), Date.parse(`${to}T00:00:00Z`)]
  return {
    ...(!Number.isNaN(begin) && { from: begin }),
    ...(!Number.isNaN(end) && { to: end + dayMs - 1 }),
  }
}

export function AuditSearch({ wish, onChange }: { wish: AuditWish; onChange: (wish: AuditWish) => void }) {
  const first = (Object.keys(by) as By[]).find((one) => wish[one] !== undefined) ?? 'action'
  const [name, setName] = useState<By>(first)
  const [text, setText] = useState(wish[first] ?? '')
  const [days, setDays] = useState({ from: dayOf(wish.from), to: dayOf(wish.to) })
  const isNarrowed = Object.keys(wish).length > 0
  return (
    <search>
      <form
        class="flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          const wanted = text.trim() === '' ? {} : { [name]: text.trim() }
          onChange({ ...wanted, ...spanOf(days.from, days.to) })
        }}
      >
        <SelectField
          label="Search in"
          value={name}
          onChange={({ currentTarget }) => setName(currentTarget.value as By)}
        >
          {Object.entries(by).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </SelectField>
        <TextField
          label="For"
          maxLength={128}
          autocomplete="off"
          spellcheck={false}
          placeholder={name === 'action' ? 'key.created' : name === 'actor' ? 'usr_… or key_…' : 'tun_…'}
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <TextField
          label="From the day (UTC)"
          type="date"
          {...(days.to !== '' && { max: days.to })}
          value={days.from}
          onInput={({ currentTarget }) => setDays((now) => ({ ...now, from: currentTarget.value }))}
        />
        <TextField
          label="To the day (UTC)"
          type="date"
          {...(days.from !== '' && { min: days.from })}
          value={days.to}
          onInput={({ currentTarget }) => setDays((now) => ({ ...now, to: currentTarget.value }))}
        />
        <Button type="submit">Search</Button>
        {isNarrowed && (
          <Button look="quiet" onClick={() => onChange({})}>
            Show all
          </Button>
        )}
      </form>
    </search>
  )
}
