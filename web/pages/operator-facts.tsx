/** A list of facts, as the operator pages show them: a term and its value, side by side. */
import type { ComponentChildren } from 'preact'

export type Fact = readonly [term: string, value: ComponentChildren]

export function Facts({ rows }: { rows: readonly Fact[] }) {
  return (
    <dl class="grid grid-cols-[fit-content(60%)_1fr] gap-x-6 gap-y-2">
      {rows.map(([term, value]) => (
        <div key={term} class="contents">
          <dt class="text-muted">{term}</dt>
          <dd class="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
