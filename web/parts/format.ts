/**
 * Numbers and times as people read them. The words are English; figures, dates and hours are as in the reader's
 * country.
 */
import { formatBytes as bytesOf } from '@porttunneler/shared/base/amounts'

/**
 * The reader's own English, or English with the figures and dates of the country of their language: `de-AT` gives
 * `en-AT`, where one and a half is written 1,5.
 */
export function localeOf(wanted: readonly string[]): string {
  const english = wanted.find((tag) => /^en\b/i.test(tag))
  if (english !== undefined) return english
  const region = wanted.map((tag) => /-([A-Z]{2})\b/i.exec(tag)?.[1]).find((found) => found !== undefined)
  return region === undefined ? 'en' : `en-${region.toUpperCase()}`
}

const locale = localeOf(globalThis.navigator?.languages ?? [])
const counts = new Intl.NumberFormat(locale)
const point = counts.formatToParts(1.5).find(({ type }) => type === 'decimal')?.value ?? '.'

export function formatCount(count: number): string {
  return counts.format(count)
}

const plurals = new Intl.PluralRules('en')

/** "1 agent", "0 agents", "1,204 agents". @param many for a word that takes more than an s */
export function formatCounted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${plurals.select(count) === 'one' ? one : many}`
}

export function formatBytes(bytes: number): string {
  return bytesOf(bytes).replace('.', point)
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`
}

const times = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
const days = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' })

/** In the reader's time zone. */
export function formatTime(ms: number): string {
  return times.format(ms)
}

const moments = new Intl.DateTimeFormat(locale, {
  month: 'short',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
})

/** To the millisecond, for lines of a log; they are young, so without the year. */
export function formatMoment(ms: number): string {
  return moments.format(ms)
}

const clocks = new Intl.DateTimeFormat(locale, { timeStyle: 'short' })

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

/** "3 minutes ago", "yesterday", "in 2 hours"; less than a minute away is "just now", or "in a moment". */
export function formatAgo(ms: number, nowMs: number): string {
  const elapsed = nowMs - ms
  const span = spans.find(([, length]) => Math.abs(elapsed) >= length)
  if (!span) return elapsed < -10_000 ? 'in a moment' : 'just now'
  return relative.format(-Math.trunc(elapsed / span[1]), span[0])
}
