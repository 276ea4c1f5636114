/** Where periods of usage begin and end: by the calendar month in UTC, or a month from the account's own day. */

export const hourMs = 3_600_000
/** Usage that comes later is in no bill any more. */
export const lateMaxMs = 35 * 24 * hourMs

type Span = { readonly start: number; readonly end: number }

/** The period around `ms`. @param anchor when one of them begins, rounded down to its hour; absent: calendar */
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

/** The first ms of the calendar month so many months after that of `ms`. */
export function monthStart(ms: number, after: number): number {
  const date = new Date(ms)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + after)
}

/** The same day and hour so many months later; the 31st is the last day where a month has fewer. */
function monthsAfter(first: Date, count: number): number {
  const month = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + count))
  const days = new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 0)).getUTCDate()
  const day = Math.min(first.getUTCDate(), days)
  return Date.UTC(month.getUTCFullYear(), month.getUTCMonth(), day, first.getUTCHours())
}
