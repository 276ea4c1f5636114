/** When something was: how long ago, with the full time on hover. */
import { useServices } from '../api/services.tsx'
import { formatAgo, formatTime } from './format.ts'

export function TimeText({ at }: { at: number }) {
  const { clock } = useServices()
  return (
    <time dateTime={new Date(at).toISOString()} title={formatTime(at)}>
      {formatAgo(at, clock.now())}
    </time>
  )
}
