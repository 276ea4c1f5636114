/** When something was or will be: an age that goes on, and the full time on hover and on focus; or the other way. */
import { useEffect, useState } from 'preact/hooks'
import { useServices } from '../api/services.tsx'
import { formatAgo, formatMoment, formatTime } from './format.ts'

/** The words are for minutes and more. */
const tickMs = 15_000

/**
 * @param isExact shows the full time, with how far away it is on hover and focus
 * @param isMoment the full time has milliseconds: for lines of a log
 * @param isInRow in a list of a thousand rows it takes no focus, and hover alone shows the rest
 */
export function TimeText({
  at,
  isExact = false,
  isInRow = false,
  isMoment = false,
}: {
  at: number
  isExact?: boolean
  isInRow?: boolean
  isMoment?: boolean
}) {
  const { clock } = useServices()
  const [, setTick] = useState(0)
  useEffect(() => {
    const timer = clock.every(tickMs, () => setTick((tick) => tick + 1))
    return () => timer.clear()
  }, [clock])
  const [full, distance] = [formatTime(at), formatAgo(at, clock.now())]
  const [exact, near] = isMoment ? [formatMoment(at), `${full}, ${distance}`] : [full, distance]
  const [shown, more] = isExact ? [exact, near] : [distance, full]
  const dateTime = new Date(at).toISOString()
  if (isInRow)
    return (
      <time dateTime={dateTime} title={more}>
        {shown}
      </time>
    )
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard reaches the rest too, which hover alone would hide
    <time dateTime={dateTime} tabIndex={0} data-more={more} class="time-text whitespace-nowrap">
      {shown}
    </time>
  )
}
