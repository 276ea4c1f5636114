/** What the operator's lists share: a badge, failures above what was read before, more of a list. */
import type { UseInfiniteQueryResult, UseQueryResult } from '@tanstack/react-query'
import type { ComponentChildren } from 'preact'
import { failureIn } from '../api/queries.ts'
import { Button } from './button.tsx'
import { Icon, type IconName } from './icon.tsx'
import { Skeleton } from './page.tsx'
import { ProblemNotice } from './problem-notice.tsx'
import { TimeText } from './time-text.tsx'

const tones = {
  ok: { icon: 'online', look: 'bg-ok-soft text-ok' },
  warn: { icon: 'away', look: 'bg-warn-soft text-warn' },
  bad: { icon: 'alert', look: 'bg-danger-soft text-danger' },
  none: { icon: 'offline', look: 'bg-raised text-muted' },
} as const satisfies Record<string, { icon: IconName; look: string }>
export type Tone = keyof typeof tones

const badge =
  'inline-flex items-center gap-1 rounded-full py-0.5 pr-2 pl-1.5 text-xs font-medium whitespace-nowrap'

/** A state in words, with an icon of its own shape. */
export function ToneBadge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  const { icon, look } = tones[tone]
  return (
    <span class={`${badge} ${look}`}>
      <Icon name={icon} size={14} />
      {children}
    </span>
  )
}

type Read = Pick<
  UseQueryResult,
  'isPending' | 'isError' | 'error' | 'dataUpdatedAt' | 'refetch' | 'isSuccess'
>

/** The states of reading: nothing yet, a failure, and a failure over what was read before, with its age. */
export function Reading({
  query,
  what,
  children,
}: {
  query: Read
  what: string
  children: ComponentChildren
}) {
  const failure = failureIn(query)
  return (
    <div class="min-w-0 space-y-3">
      {failure && (
        <>
          <ProblemNotice failure={failure} onRetry={() => void query.refetch()} />
          {query.dataUpdatedAt > 0 && (
            <p class="text-sm text-muted">
              What you see was read <TimeText at={query.dataUpdatedAt} />.
            </p>
          )}
        </>
      )}
      {query.isPending && <Skeleton what={what} rows={2} />}
      {children}
    </div>
  )
}

export function More({
  query,
}: {
  query: Pick<UseInfiniteQueryResult, 'hasNextPage' | 'fetchNextPage' | 'isFetchingNextPage'>
}) {
  if (!query.hasNextPage) return null
  return (
    <div class="mt-3">
      <Button onClick={() => void query.fetchNextPage()} isBusy={query.isFetchingNextPage}>
        Show more
      </Button>
    </div>
  )
}

/** A choice of two or more lists. */
export function Choice<Value extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: Value
  options: readonly (readonly [Value, string])[]
  onChange: (value: Value) => void
}) {
  return (
    <fieldset class="flex flex-wrap gap-1">
      <legend class="sr-only">{label}</legend>
      {options.map(([each, text]) => (
        <Button
          key={each}
          look={each === value ? 'plain' : 'quiet'}
          aria-pressed={each === value}
          onClick={() => onChange(each)}
        >
          {text}
        </Button>
      ))}
    </fieldset>
  )
}
