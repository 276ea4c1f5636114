/**
 * Stands above every page while an operator looks at somebody's account, so that nobody takes what they see for their
 * own. Its colours are used for nothing else at this size; it stays in sight when the page scrolls.
 */
import { useMutation } from '@tanstack/react-query'
import { useEffect, useState } from 'preact/hooks'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Icon } from './icon.tsx'

const everyMs = 1_000
const minuteMs = 60_000
/** From here on the time left is said aloud, too. */
const nearEndMs = 5 * minuteMs

export function ViewBanner() {
  const { calls, view } = useServices()
  const here = view.now
  const leftMs = useTimeLeft(here?.untilMs)
  const end = useMutation({
    mutationFn: () => calls.endView(),
    onSuccess: () => {
      view.forget()
      location.assign(`/operator/accounts/${here?.account ?? ''}`)
    },
  })
  const failure = failureIn(end)
  if (!here) return null
  const isNearEnd = leftMs < nearEndMs
  return (
    <section
      aria-label="View of an operator"
      class="sticky top-0 z-20 border-b-4 border-danger bg-danger text-surface"
    >
      <div class="mx-auto flex w-full max-w-6xl flex-wrap items-center justify-between gap-x-6 gap-y-2 px-4 py-2.5 sm:flex-nowrap sm:px-6">
        <div class="flex min-w-0 items-start gap-2">
          <span class="mt-0.5">
            <Icon name="alert" size={20} />
          </span>
          <p role="status" class="min-w-0">
            <strong class="break-words">
              You are viewing {here.accountName}
              {here.email === undefined ? '' : ` as ${here.email}`}.
            </strong>{' '}
            You cannot change anything, and what you read is recorded.
            {isNearEnd && ' The view ends in less than 5 minutes.'}
            {failure && ` It could not be ended: ${failure.problem.title}.`}
          </p>
        </div>
        <div class="flex items-center gap-4">
          <span class="whitespace-nowrap tabular-nums">{timeText(leftMs)} left</span>
          <button
            type="button"
            class="min-h-10 rounded-md bg-surface px-4 text-sm font-semibold whitespace-nowrap text-danger outline-offset-2 hover:bg-danger-soft focus-visible:outline-surface"
            aria-busy={end.isPending || undefined}
            onClick={() => !end.isPending && end.mutate()}
          >
            End the view
          </button>
        </div>
      </div>
    </section>
  )
}

/** Counts down, and ends the view here when its time is over. */
function useTimeLeft(untilMs: number | undefined): number {
  const { clock, view } = useServices()
  const [nowMs, setNowMs] = useState(clock.now())
  useEffect(() => {
    if (untilMs === undefined) return
    const tick = () => {
      const now = clock.now()
      setNowMs(now)
      if (now >= untilMs) view.over()
    }
    tick()
    const timer = clock.every(everyMs, tick)
    return () => timer.clear()
  }, [clock, view, untilMs])
  return Math.max(0, (untilMs ?? nowMs) - nowMs)
}

function timeText(ms: number): string {
  if (ms < minuteMs) return `${Math.ceil(ms / 1_000)} s`
  return `${Math.ceil(ms / minuteMs)} min`
}
