/** Which time the charts show, and the way back from a part of it. */
import { Button } from '../parts/button.tsx'
import { formatTime } from '../parts/format.ts'
import { type RangeName, ranges, type TimeRange } from './time-range.ts'

export function RangeBar({
  range,
  onRange,
  onPart,
}: {
  range: TimeRange
  onRange: (name: RangeName) => void
  onPart: (part: undefined) => void
}) {
  const { zoom } = range
  return (
    <div class="flex flex-wrap items-center gap-3">
      <fieldset class="flex flex-wrap rounded-md border border-line bg-surface p-0.5">
        <legend class="sr-only">Time that the charts show</legend>
        {(Object.keys(ranges) as RangeName[]).map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={!zoom && range.name === name}
            onClick={() => onRange(name)}
            class={`min-h-8 rounded-md px-2.5 text-sm ${!zoom && range.name === name ? 'bg-accent-soft font-semibold text-accent-strong' : 'text-muted hover:text-text'}`}
          >
            {ranges[name].label}
          </button>
        ))}
      </fieldset>
      {zoom && (
        <span class="flex flex-wrap items-center gap-3 text-sm">
          {formatTime(zoom.from)} to {formatTime(zoom.to)}
          <Button look="quiet" onClick={() => onPart(undefined)}>
            Show all
          </Button>
        </span>
      )}
    </div>
  )
}
