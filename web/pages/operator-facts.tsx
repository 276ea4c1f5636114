/** A list of facts, as the operator pages show them: a term and its value, one below the other on a phone. */
import type { ComponentChildren } from 'preact'

export type Fact = readonly [term: string, value: ComponentChildren]

export function Facts({ rows }: { rows: readonly Fact[] }) {
  return (
    <dl class="grid gap-x-6 gap-y-2 sm:grid-cols-[max-content_1fr]">
      {rows.map(([term, value]) => (
        <div key={term} class="contents">
          <dt class="text-muted">{term}</dt>
          <dd class="min-w-0 break-words max-sm:mb-2">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
