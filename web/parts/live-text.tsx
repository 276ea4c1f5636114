/** Live figures as text: rates with arrows, and a quiet line that says when there are none. */
import { type Live, useServices } from '../api/services.tsx'
import type { Figures } from '../charts/rates.ts'
import { formatRate } from './format.ts'
import { Icon } from './icon.tsx'

/** What stands where a figure is not known. */
export const unknown = '–'

export function RateText({ figures }: { figures: Figures | undefined }) {
  if (!figures) return <span class="text-muted">{unknown}</span>
  return (
    <span class="inline-flex flex-wrap gap-x-3 tabular-nums">
      <Direction
        icon="arrowIn"
        label="in"
        text={formatRate(figures.rates.in)}
        isQuiet={figures.rates.in === 0}
      />
      <Direction
        icon="arrowOut"
        label="out"
        text={formatRate(figures.rates.out)}
        isQuiet={figures.rates.out === 0}
      />
    </span>
  )
}

function Direction({
  icon,
  label,
  text,
  isQuiet,
}: {
  icon: 'arrowIn' | 'arrowOut'
  label: string
  text: string
  isQuiet: boolean
}) {
  return (
    <span class={`inline-flex items-center gap-1 whitespace-nowrap ${isQuiet ? 'text-muted' : ''}`}>
      <Icon name={icon} size={14} />
      <span class="sr-only">{label}</span>
      {text}
    </span>
  )
}

const texts: Record<Exclude<Live['status'], 'live' | 'idle' | 'paused'>, string> = {
  connecting: 'Waiting for live figures…',
  partial: 'Live figures of some relays are missing.',
  lost: 'No live figures: the relays cannot be reached. Trying again.',
}

/** Says why live figures are missing; nothing when they are not. */
export function LiveNotice({ status }: { status: Live['status'] }) {
  const { live, view } = useServices()
  const { failure } = live
  return (
    <div role="status" class="text-sm text-muted">
      {view.now && <p class="mt-3">A view shows no live figures.</p>}
      {status !== 'live' && status !== 'idle' && status !== 'paused' && (
        <p class="mt-3 flex items-start gap-2">
          {status !== 'connecting' && <Icon name="alert" />}
          <span>
            {texts[status]}
            {status !== 'connecting' && failure?.problem.code && (
              <>
                {' '}
                <code class="font-mono text-xs">{failure.problem.code}</code> {failure.problem.title}.
              </>
            )}
          </span>
        </p>
      )}
    </div>
  )
}
