/**
 * Usage as people and programs ask for it. The number of reads follows the size of the answer: minutes and the last day
 * come from rows, hours of an account from its periods, and of a tunnel from its months, so a year of either is 14
 * documents.
 */
import { answerPlaces, latencyBoundsMs } from '../api/schemas/relays.ts'
import type { UsageAnswer } from '../api/schemas/service.ts'
import { fail } from '../base/errors.ts'
import { hourMs } from './books/calendar.ts'
import { add, addRow, addSum, entryOf, type Hours, minutesOfRow, type Sum, zero } from './books/hours.ts'
import type { Caller } from './caller.ts'
import type { AccountControl } from './control.ts'
import { tunnelNames } from './documents.ts'
import type { Counts } from './usage.ts'
import type { UsageHourDoc } from './usage-documents.ts'
import { hoursOfAccount, isInside, rowsOf, type Span, tunnelHours } from './usage-reads.ts'

const dayMs = 24 * hourMs
const minuteMs = 60_000
/** What a call may ask for. Rows are kept 40 days, periods and months 400. */
const spanMax = { sums: 31 * dayMs, minute: dayMs, hour: 93 * dayMs, day: 400 * dayMs } as const

type Step = keyof typeof stepMs
const stepMs = { minute: minuteMs, hour: hourMs, day: dayMs } as const

type Asked = {
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly tunnel?: string | undefined
  readonly step?: Step | undefined
}

/** Sums of a span. @throws api.combination for a span that is empty or too long for its step, api.too_large */
export async function readUsage(control: AccountControl, caller: Caller, asked: Asked): Promise<UsageAnswer> {
  const { step, tunnel } = asked
  const to = asked.to ?? control.clock.now()
  const from = asked.from ?? Math.max(0, to - dayMs)
  const longest = spanMax[step ?? 'sums']
  if (from > to || to - from > longest)
    throw fail(
      'api.combination',
      `The span must begin before its end and be at most ${longest / dayMs} days long.`,
    )
  const reach = await idsInReach(control, caller)
  const isNothing = tunnel !== undefined && reach && !reach.has(tunnel)
  const span = { from, to }
  if (step === 'minute') {
    const rows = isNothing ? [] : await rowsOf(control, { ...span, tunnel, reach })
    return { ...sumsOf(byTunnelOf(rows), span), series: minutesOf(rows, span) }
  }
  const only = tunnel === undefined ? reach && [...reach] : [tunnel]
  const whose = isNothing ? [] : only
  if (step === undefined) return sumsOf(await tunnelHours(control, span, whose), span)
  const hours = whose ? sumUp(await tunnelHours(control, span, whose)) : await hoursOfAccount(control, span)
  for (const hour of hours.keys()) if (!isInside(hour, span)) hours.delete(hour)
  return inSteps(hours, span, step)
}

type ByTunnel = ReadonlyMap<string, ReadonlyMap<number, Sum>>

function byTunnelOf(rows: readonly UsageHourDoc[]): ByTunnel {
  const byTunnel = new Map<string, Hours>()
  for (const row of rows) {
    const hours: Hours = byTunnel.get(row.tunnel) ?? new Map()
    byTunnel.set(row.tunnel, hours)
    addRow(entryOf(hours, row.hour), row)
  }
  return byTunnel
}

function sumUp(byTunnel: ByTunnel): Hours {
  const hours: Hours = new Map()
  for (const ofTunnel of byTunnel.values())
    for (const [hour, sum] of ofTunnel) addSum(entryOf(hours, hour), sum)
  return hours
}

function sumsOf(byTunnel: ByTunnel, span: Span): UsageAnswer {
  const totals = new Map<string, Sum>()
  const total = zero()
  for (const [tunnel, hours] of byTunnel)
    for (const sum of hours.values()) {
      add(total, sum)
      add(entryOf(totals, tunnel), sum)
    }
  const hours = [...sumUp(byTunnel)].sort(([a], [b]) => a - b)
  return {
    ...span,
    total,
    hours: hours.map(([hour, sum]) => ({ hour, ...countsOf(sum) })),
    tunnels: [...totals].map(([tunnel, counts]) => ({ tunnel, ...counts })),
  }
}

function minutesOf(rows: readonly UsageHourDoc[], span: Span): NonNullable<UsageAnswer['series']> {
  const minutes: Hours = new Map()
  for (const row of rows)
    for (const [minute, sum] of minutesOfRow(row)) {
      if (minute + minuteMs > span.from && minute <= span.to) addSum(entryOf(minutes, minute), sum)
    }
  return seriesOf(minutes)
}

function describeAnswers(counts: readonly number[]) {
  const at = (place: keyof typeof answerPlaces) => counts[answerPlaces[place]] ?? 0
  return {
    upgraded: at('upgraded'),
    successful: at('successful'),
    redirected: at('redirected'),
    clientError: at('clientError'),
    serverError: at('serverError'),
    unanswered: at('unanswered'),
    latency: counts.slice(answerPlaces.latency, answerPlaces.latency + latencyBoundsMs.length + 1),
  }
}

function inSteps(hours: Hours, span: Span, step: 'hour' | 'day'): UsageAnswer {
  const steps: Hours = new Map()
  const total = zero()
  for (const [hour, sum] of hours) {
    add(total, sum)
    addSum(entryOf(steps, hour - (hour % stepMs[step])), sum)
  }
  const series = seriesOf(steps)
  const listed = step === 'hour' ? series.map(({ at: hour, ...sum }) => ({ hour, ...countsOf(sum) })) : []
  return { ...span, total, hours: listed, tunnels: [], series }
}

function seriesOf(steps: Hours): NonNullable<UsageAnswer['series']> {
  const ordered = [...steps].sort(([a], [b]) => a - b)
  return ordered.map(([at, sum]) => ({
    at,
    ...countsOf(sum),
    ...(sum.answers && { answers: describeAnswers(sum.answers) }),
  }))
}

function countsOf({ in: bytesIn, out, opened, refused }: Counts): Counts {
  return { in: bytesIn, out, opened, refused }
}

/** Ids of the only tunnels that a bound key may ask about; undefined: all. */
export async function idsInReach(
  control: AccountControl,
  { account, tunnels }: Caller,
): Promise<ReadonlySet<string> | undefined> {
  if (!tunnels) return undefined
  const named = await control.store.getAll(
    Array.from(tunnels, (name) => tunnelNames.ref(`${account}:${name}`)),
  )
  return new Set(named.flatMap((found) => (found ? [found.data.tunnel] : [])))
}
