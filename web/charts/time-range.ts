/** Which time the charts of a page show: one of the ranges that end now, or a part of the past that somebody chose. */
import { useLocation, useSearch } from 'wouter-preact'

const secondMs = 1_000
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
/** By their name in the address. */
export const ranges = {
  '10m': { label: '10 min', spanMs: 10 * minuteMs, stepMs: secondMs },
  '1h': { label: '1 h', spanMs: hourMs, stepMs: 10 * secondMs },
  '6h': { label: '6 h', spanMs: 6 * hourMs, stepMs: 10 * secondMs },
  '24h': { label: '24 h', spanMs: dayMs, stepMs: 5 * minuteMs },
  '7d': { label: '7 days', spanMs: 7 * dayMs, stepMs: 15 * minuteMs },
  '30d': { label: '30 days', spanMs: 30 * dayMs, stepMs: hourMs },
  '13mo': { label: '13 months', spanMs: 396 * dayMs, stepMs: dayMs },
} as const
export type RangeName = keyof typeof ranges
export type TimeRange = {
  readonly name: RangeName
  /** The part that is shown instead; both in ms. */
  readonly zoom: { readonly from: number; readonly to: number } | undefined
}

/** Nothing is kept by less than a second. */
const zoomMsMin = 10 * secondMs
const zoomSteps = [secondMs, 10 * secondMs, minuteMs, 5 * minuteMs, 15 * minuteMs, hourMs, 6 * hourMs, dayMs]
/** Some fewer than an answer may have. */
const pointsMax = 990

export function readRange(search: string): TimeRange {
  const query = new URLSearchParams(search)
  const name = query.get('range') ?? ''
  const [from, to] = [Number(query.get('from')), Number(query.get('to'))]
  const isZoomed = from > 0 && to - from >= zoomMsMin && to - from <= ranges['13mo'].spanMs
  return {
    name: Object.hasOwn(ranges, name) ? (name as RangeName) : '1h',
    zoom: isZoomed ? { from, to } : undefined,
  }
}

export type ShownSpan = { readonly from: number; readonly to: number; readonly stepMs: number }

/** What the charts show at `nowMs`: seconds and tens are kept for a while only. */
export function spanOf({ name, zoom }: TimeRange, nowMs: number): ShownSpan {
  const { spanMs, stepMs } = ranges[name]
  if (!zoom) return { from: nowMs - spanMs, to: nowMs, stepMs }
  const lengthMs = zoom.to - zoom.from
  const step = zoomSteps.find((each) => each >= finestOf(zoom, nowMs) && lengthMs / each <= pointsMax)
  return { ...zoom, stepMs: step ?? dayMs }
}

/** Relays keep seconds and tens, the control plane minutes of 40 days, of which it reads a week at a time. */
function finestOf({ from, to }: { readonly from: number; readonly to: number }, nowMs: number): number {
  const agoMs = nowMs - from
  if (agoMs <= ranges['10m'].spanMs) return secondMs
  if (agoMs <= ranges['6h'].spanMs) return 10 * secondMs
  return agoMs <= 40 * dayMs && to - from <= 7 * dayMs ? minuteMs : hourMs
}

/** The range of the address, and the ways to change it; `onPart` with undefined shows all of the range again. */
export function useTimeRange() {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const go = (changes: Readonly<Record<string, string | undefined>>, options?: { replace: boolean }) => {
    const query = new URLSearchParams(search)
    for (const [name, value] of Object.entries(changes))
      if (value === undefined) query.delete(name)
      else query.set(name, value)
    navigate(`${path}?${query}`, options)
  }
  return {
    range: readRange(search),
    onRange: (name: RangeName) => go({ range: name, from: undefined, to: undefined }, { replace: true }),
    onPart: (part: TimeRange['zoom']) =>
      go({ from: part && `${Math.floor(part.from)}`, to: part && `${Math.ceil(part.to)}` }),
  }
}
