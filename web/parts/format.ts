/** Numbers and times as people read them. */
export { formatBytes, formatRate } from '@porttunneler/shared/base/amounts'

const counts = new Intl.NumberFormat('en')

export function formatCount(count: number): string {
  return counts.format(count)
}

const times = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' })
const days = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeZone: 'UTC' })

/** In the reader's time zone. */
export function formatTime(ms: number): string {
  return times.format(ms)
}

const clocks = new Intl.DateTimeFormat('en', { timeStyle: 'short' })

/** The time of day, in the reader's time zone. */
export function formatClock(ms: number): string {
  return clocks.format(ms)
}

/** A `YYYY-MM-DD` of UTC, as a date. */
export function formatDay(day: string): string {
  const ms = Date.parse(`${day}T00:00:00Z`)
  return Number.isNaN(ms) ? day : days.format(ms)
}

const spans = [
  ['year', 31_536_000_000],
  ['month', 2_592_000_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

/** "3 minutes ago", "yesterday"; less than a minute is "just now". */
export function formatAgo(ms: number, nowMs: number): string {
  const elapsed = nowMs - ms
  const span = spans.find(([, length]) => elapsed >= length)
  return span ? relative.format(-Math.floor(elapsed / span[1]), span[0]) : 'just now'
}
