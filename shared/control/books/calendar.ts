/** Where periods of usage begin and end: by the calendar month in UTC, or a month from the account's own day. */

export const hourMs = 3_600_000
/** Usage that comes later is never billed. */
export const lateMaxMs = 35 * 24 * hourMs

type Span = { readonly start: number; readonly end: number }

/** The period around `ms`. @param anchor start of one of them, rounded down to its hour; undefined: calendar months */
export function spanAround(ms: number, anchor?: number): Span {
  if (anchor === undefined) return { start: monthStart(ms, 0), end: monthStart(ms, 1) }
  const first = new Date(hourOf(anchor))
  const at = new Date(ms)
  const months = (at.getUTCFullYear() - first.getUTCFullYear()) * 12 + at.getUTCMonth() - first.getUTCMonth()
  const start = [months, months - 1].find((count) => monthsAfter(first, count) <= ms) ?? months - 2
  return { start: monthsAfter(first, start), end: monthsAfter(first, start + 1) }
}

export function hourOf(ms: number): number {
  return Math.floor(ms / hourMs) * hourMs
}

/** The first ms of the calendar month `after` months after that of `ms`. */
export function monthStart(ms: number, after: number): number {
  const date = new Date(ms)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + after)
}

/** The same day and hour `count` months later; the 31st becomes the last day of a shorter month. */
function monthsAfter(first: Date, count: number): number {
  const month = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + count))
  const days = new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 0)).getUTCDate()
  const day = Math.min(first.getUTCDate(), days)
  return Date.UTC(month.getUTCFullYear(), month.getUTCMonth(), day, first.getUTCHours())
}
