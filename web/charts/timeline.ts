/**
 * One tunnel's past as even columns for charts, put together from what knows it best: relays for the last hours, the
 * control plane for what is older. What nobody knows is null and is drawn as a gap; zero means that nothing happened.
 */
import type { HistoryAnswer } from '@porttunneler/shared/api/schemas/history'
import type { LiveHistory } from '@porttunneler/shared/api/schemas/tunnels'
import { timeWithin } from '@porttunneler/shared/base/latency'

/** ms; `step` divides both. */
type Grid = { readonly from: number; readonly to: number; readonly step: number }
type Column = (number | null)[]
type Traffic = {
  readonly at: number[]
  /** Bytes a second. */
  readonly in: Column
  readonly out: Column
  readonly opened: Column
  readonly open: Column
}
const classes = ['upgraded', 'successful', 'redirected', 'clientError', 'serverError', 'unanswered'] as const
type Classes = { readonly [N in (typeof classes)[number]]: Column }
type Results = Classes & {
  readonly at: number[]
  /** ms */
  readonly p50: Column
  readonly p95: Column
  readonly p99: Column
  /** By status or code, of each step that has any. */
  readonly codes: ReadonlyMap<number, Readonly<Record<string, number>>>
}

export function gridOf(from: number, to: number, step: number): Grid {
  return { from: from - (from % step), to: to - (to % step), step }
}

function slotsOf({ from, to, step }: Grid): number[] {
  return Array.from({ length: Math.max(0, Math.floor((to - from) / step)) }, (_, at) => from + at * step)
}

/** All of them have been asked; a relay that did not answer is not among them, and its share is missing. */
export function trafficOf(
  grid: Grid,
  history: HistoryAnswer | undefined,
  relays: readonly LiveHistory[],
): Traffic {
  const at = slotsOf(grid)
  const traffic: Traffic = { at, in: [], out: [], opened: [], open: [] }
  const byHistory = history && historyRates(grid, history)
  const byRelays = relays.length > 0 ? relayRates(grid, relays) : undefined
  for (const time of at) {
    const slot = byRelays?.(time) ?? byHistory?.(time)
    traffic.in.push(slot?.in ?? null)
    traffic.out.push(slot?.out ?? null)
    traffic.opened.push(slot?.opened ?? null)
    traffic.open.push(slot?.open ?? null)
  }
  return traffic
}

type Slot = {
  readonly in: number
  readonly out: number
  readonly opened: number
  readonly open: number | null
}
type Look = (time: number) => Slot | undefined

/** A point of the control plane may be longer than a slot of the grid: its slots get its mean. */
function historyRates({ step: slotMs }: Grid, { step, known, points }: HistoryAnswer): Look {
  const byTime = new Map(points.map((point) => [point.at, point]))
  const seconds = step / 1_000
  let isAnyOpen = false
  return (time) => {
    // The slot in which the tunnel was made, or up to which relays have reported, is known in part.
    if (time + slotMs <= known.from || time >= known.to) return undefined
    const point = byTime.get(time - (time % step))
    if (!point) return { in: 0, out: 0, opened: 0, open: isAnyOpen ? null : 0 }
    isAnyOpen = (point.open ?? 0) > 0
    return {
      in: point.in / seconds,
      out: point.out / seconds,
      opened: (point.opened * slotMs) / Math.max(slotMs, step),
      open: point.open ?? null,
    }
  }
}

function relayRates({ step }: Grid, relays: readonly LiveHistory[]): Look {
  const since = Math.max(...relays.map((relay) => relay.since))
  const until = Math.min(...relays.map((relay) => relay.at))
  const rowsMs = step < 10_000 ? 1_000 : 10_000
  const keptMs = step < 10_000 ? 600_000 : 6 * 3_600_000
  const first = Math.max(since, until - keptMs)
  const sums = new Map<number, { in: number; out: number; opened: number; open: number }>()
  for (const relay of relays) addRelay(sums, rowsMs === 1_000 ? relay.seconds : relay.tens, { step, until })
  return (time) => {
    if (time < first || time >= until) return undefined
    const sum = sums.get(time)
    if (!sum) return { in: 0, out: 0, opened: 0, open: 0 }
    return { ...sum, in: (sum.in * 1_000) / step, out: (sum.out * 1_000) / step }
  }
}

/** Rows leave out what did not change: the visitors of the row before stay open until the next. */
function addRelay(
  sums: Map<number, { in: number; out: number; opened: number; open: number }>,
  rows: LiveHistory['tens'],
  { step, until }: { readonly step: number; readonly until: number },
): void {
  const sumAt = (time: number) => {
    const sum = sums.get(time) ?? { in: 0, out: 0, opened: 0, open: 0 }
    sums.set(time, sum)
    return sum
  }
  const most = new Map<number, number>()
  for (const [index, [at, bytesIn, out, opened, open, last]] of rows.entries()) {
    const slot = at - (at % step)
    const sum = sumAt(slot)
    sum.in += bytesIn
    sum.out += out
    sum.opened += opened
    most.set(slot, Math.max(most.get(slot) ?? 0, open))
    const next = rows[index + 1]?.[0] ?? until
    for (let time = slot + step; last > 0 && time < next; time += step)
      most.set(time, Math.max(most.get(time) ?? 0, last))
  }
  for (const [time, open] of most) sumAt(time).open += open
}

type Fared = {
  answers: number[]
  times: number[]
  codes: Record<string, number>
}

/** @param grid of whole minutes, or of ten seconds, which only relays have, for ten minutes */
export function resultsOf(
  grid: Grid,
  history: HistoryAnswer | undefined,
  relays: readonly LiveHistory[],
): Results {
  const at = slotsOf(grid)
  const isFine = grid.step < 60_000
  const steps = faredByStep(grid, isFine ? undefined : history, relays)
  const keptMs = isFine ? 600_000 : 3_600_000
  const since = Math.max(...relays.map((relay) => relay.since), grid.to - keptMs)
  const isKnown = (time: number) =>
    (!isFine && history && time + grid.step > history.known.from && time < history.known.to) ||
    (relays.length > 0 && time >= since)
  const column = (read: (fared: Fared) => number | undefined): Column =>
    at.map((time) => {
      const fared = steps.get(time)
      return fared ? (read(fared) ?? null) : isKnown(time) ? (read(nobody) ?? null) : null
    })
  const ofClass = (place: number) => column(({ answers }) => answers[place] ?? 0)
  const within = (q: number) => column(({ times }) => timeWithin(times, q))
  return {
    at,
    upgraded: ofClass(0),
    successful: ofClass(1),
    redirected: ofClass(2),
    clientError: ofClass(3),
    serverError: ofClass(4),
    unanswered: ofClass(5),
    p50: within(0.5),
    p95: within(0.95),
    p99: within(0.99),
    codes: new Map([...steps].map(([time, { codes }]) => [time, codes])),
  }
}

const nobody: Fared = { answers: [], times: [], codes: {} }

/** Relays know the last hour, and the control plane what they have reported: neither has more than there was. */
function faredByStep(
  grid: Grid,
  history: HistoryAnswer | undefined,
  relays: readonly LiveHistory[],
): Map<number, Fared> {
  const reported = new Map<number, Fared>()
  for (const { at, answers, latency, codes } of history?.points ?? [])
    addTo(reported, at - (at % grid.step), {
      answers: answers ? classes.map((name) => answers[name]) : [],
      times: latency?.counts ?? [],
      codes: codes ?? {},
    })
  const fresh = new Map<number, Fared>()
  for (const { minutes, resultTens = [] } of relays)
    for (const { at, answers, times, codes = {} } of grid.step < 60_000 ? resultTens : minutes)
      addTo(fresh, at - (at % grid.step), { answers, times, codes })
  for (const [time, fared] of fresh) {
    const known = reported.get(time)
    if (!known || sumOf(fared) >= sumOf(known)) reported.set(time, fared)
  }
  return reported
}

function sumOf({ answers, codes }: Fared): number {
  return [...answers, ...Object.values(codes)].reduce((sum, count) => sum + count, 0)
}

function addTo(steps: Map<number, Fared>, time: number, more: Fared): void {
  const sum = steps.get(time) ?? { answers: [], times: [], codes: {} }
  steps.set(time, sum)
  for (const [at, count] of more.answers.entries()) sum.answers[at] = (sum.answers[at] ?? 0) + count
  for (const [at, count] of more.times.entries()) sum.times[at] = (sum.times[at] ?? 0) + count
  for (const [code, count] of Object.entries(more.codes)) sum.codes[code] = (sum.codes[code] ?? 0) + count
}
