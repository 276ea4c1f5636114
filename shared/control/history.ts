/**
 * Reads what a tunnel or an account has carried over time, for charts. Steps below an hour come from the rows that
 * relays report, at most a week of a tunnel and a day of an account; longer ones from months and periods, so that 13
 * months are 14 documents. The last minutes are not here yet: relays have them (GET /v1/live/history).
 */

import { type HistoryAnswer, historyPointsMax, historySteps } from '../api/schemas/history.ts'
import { answerPlaces } from '../api/schemas/relays.ts'
import { fail } from '../base/errors.ts'
import { startOfBoot } from '../base/ids.ts'
import { timeWithin } from '../base/latency.ts'
import { limits } from '../protocol/limits.ts'
import { hourMs, hourOf } from './books/calendar.ts'
import { addSum, entryOf, type Hours, minutesOfRow, type Sum, zero } from './books/hours.ts'
import type { Caller } from './caller.ts'
import type { AccountControl } from './control.ts'
import { updatesOf } from './relay-starts.ts'
import { readTunnel } from './tunnels.ts'
import { hoursOfAccount, rowsOf, type Span, tunnelHours } from './usage-reads.ts'
import { idsInReach } from './usage-sums.ts'

const dayMs = 24 * hourMs
/** How far rows are read at a time, and how long rows and months are kept. */
const longest = { rowsOfTunnel: 7 * dayMs, rowsOfAccount: dayMs, all: 400 * dayMs } as const
const kept = { rows: 40 * dayMs, months: 400 * dayMs } as const
/** Relays report a running hour this often (`usageMs` of their configuration). */
const reportedMs = 15 * 60_000
const startsMax = 100

type Asked = { readonly [N in 'from' | 'to' | 'step']?: number | undefined } & {
  readonly tunnel?: string | undefined
}

/** @throws api.combination, api.not_found, api.too_large */
export async function readHistory(
  control: AccountControl,
  caller: Caller,
  asked: Asked,
): Promise<HistoryAnswer> {
  const nowMs = control.clock.now()
  const to = asked.to ?? nowMs
  const from = asked.from ?? Math.max(0, to - dayMs)
  const step = stepOf({ from, to }, asked)
  const tunnel =
    asked.tunnel === undefined ? undefined : (await readTunnel(control, caller, asked.tunnel)).data
  const begun = tunnel?.createdAt ?? 0
  const span = { from: from - (from % step), to: Math.min(to, nowMs) }
  const { sums, starts } =
    step < hourMs ? await byMinute(control, caller, span, asked) : await byHour(control, caller, span, asked)
  const points: Hours = new Map()
  for (const [at, sum] of [...sums].sort(([a], [b]) => a - b))
    if (at >= span.from && at <= to) addSum(entryOf(points, at - (at % step)), sum, 'after')
  const total = zero()
  for (const sum of points.values()) addSum(total, sum, 'after')
  const reported = Math.min(nowMs - reportedMs - limits.syncMs, to)
  const last = [...points.keys()].at(-1)
  return {
    from,
    to,
    step,
    known: {
      from: Math.max(from, begun, nowMs - (step < hourMs ? kept.rows : kept.months)),
      to: last === undefined ? reported : Math.max(reported, Math.min(last + step, nowMs)),
    },
    points: Array.from(points, ([at, sum]) => ({ at, ...describe(sum) })),
    total: describe(total),
    relayStarts: starts.filter((at) => at >= from && at <= to),
    relayUpdates: (await updatesIn(control, tunnel?.cell)).filter(({ at }) => at >= from && at <= to),
  }
}

/** By the relays of the cell that serves it now; a cell that is gone knows of none. */
async function updatesIn(control: AccountControl, cell = ''): Promise<HistoryAnswer['relayUpdates']> {
  const found = cell === '' ? undefined : (await control.cells.latelyAll([cell])).get(cell)
  return [...updatesOf(found?.relays.map(({ data }) => data) ?? [])]
}

function stepOf({ from, to }: Span, { step, tunnel }: Asked): number {
  if (from > to || to - from > longest.all)
    throw fail(
      'api.combination',
      `The span must begin before its end and be at most ${longest.all / dayMs} days long.`,
    )
  const rowsMs = tunnel === undefined ? longest.rowsOfAccount : longest.rowsOfTunnel
  const fits = historySteps.filter(
    (each) => (to - from) / each + 1 <= historyPointsMax && (each >= hourMs || to - from <= rowsMs),
  )
  const chosen = step ?? fits[0]
  if (chosen === undefined || !fits.some((each) => each === chosen))
    throw fail(
      'api.combination',
      `For this span the step may be ${fits.map((each) => `${each}`).join(', ')} ms.`,
    )
  return chosen
}

type Read = { readonly sums: Hours; readonly starts: readonly number[] }

async function byMinute(
  control: AccountControl,
  caller: Caller,
  span: Span,
  { tunnel }: Asked,
): Promise<Read> {
  const reach = tunnel === undefined ? await idsInReach(control, caller) : undefined
  const sums: Hours = new Map()
  const boots = new Set<string>()
  for (const { boot, ...row } of await rowsOf(control, { ...span, tunnel, reach })) {
    boots.add(boot)
    for (const [minute, sum] of minutesOfRow(row)) addSum(entryOf(sums, minute), withRefused(sum), 'beside')
  }
  const starts = [...boots].flatMap((boot) => startOfBoot(boot) ?? [])
  return { sums, starts: starts.sort((a, b) => a - b).slice(-startsMax) }
}

/** Minutes do not count refusals, but their codes do. */
function withRefused(sum: Sum): Sum {
  const refused = Object.entries(sum.codes ?? {}).filter(([code]) => code.startsWith('PT-'))
  return { ...sum, refused: refused.reduce((all, [, count]) => all + count, 0) }
}

async function byHour(control: AccountControl, caller: Caller, span: Span, { tunnel }: Asked): Promise<Read> {
  const reach = tunnel === undefined ? await idsInReach(control, caller) : new Set([tunnel])
  if (!reach) return { sums: await hoursOfAccount(control, span), starts: [] }
  const sums: Hours = new Map()
  for (const hours of (await tunnelHours(control, span, [...reach])).values())
    for (const [hour, sum] of hours) addSum(entryOf(sums, hourOf(hour)), sum, 'beside')
  return { sums, starts: [] }
}

function describe({ answers, times, open, codes, ...counts }: Sum): HistoryAnswer['total'] {
  const at = (place: keyof typeof answerPlaces) => answers?.[answerPlaces[place]] ?? 0
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map(
    (q) => Math.round((timeWithin(times ?? [], q) ?? 0) * 10) / 10,
  )
  return {
    ...counts,
    ...(open?.[0] !== undefined && { open: open[0] }),
    ...(answers && {
      answers: {
        upgraded: at('upgraded'),
        successful: at('successful'),
        redirected: at('redirected'),
        clientError: at('clientError'),
        serverError: at('serverError'),
        unanswered: at('unanswered'),
      },
    }),
    ...(times &&
      p50 !== undefined &&
      p95 !== undefined &&
      p99 !== undefined && {
        latency: { p50, p95, p99, counts: times.slice(0, times.findLastIndex(Boolean) + 1) },
      }),
    ...(codes && { codes }),
  }
}
