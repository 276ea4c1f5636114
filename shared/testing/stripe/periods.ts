/** Periods by the calendar, as docs.stripe.com/billing/subscriptions/billing-cycle has them: UTC, to the second. */

export type Interval = 'day' | 'week' | 'month' | 'year'
export type Period = { readonly start: number; readonly end: number }

const day = 86_400

/** `count` intervals after `anchor`; a day that a month does not have becomes its last. Unix seconds. */
export function after(anchor: number, interval: Interval, count: number): number {
  if (interval === 'day') return anchor + count * day
  if (interval === 'week') return anchor + count * 7 * day
  const from = new Date(anchor * 1_000)
  const months = interval === 'year' ? count * 12 : count
  const first = Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + months, 1)
  const next = new Date(first)
  const days = new Date(Date.UTC(next.getUTCFullYear(), next.getUTCMonth() + 1, 0)).getUTCDate()
  const inMonth = Math.min(from.getUTCDate(), days) - 1
  return Math.floor(first / 1_000) + inMonth * day + (anchor % day)
}

/** The period that begins at `start`, or holds it, when periods count from `anchor`. */
export function periodFrom(anchor: number, interval: Interval, start: number): Period {
  let count = Math.max(0, Math.floor((start - anchor) / (366 * day)) * (interval === 'year' ? 1 : 12))
  while (after(anchor, interval, count + 1) <= start) count += 1
  return { start: Math.max(start, after(anchor, interval, count)), end: after(anchor, interval, count + 1) }
}
