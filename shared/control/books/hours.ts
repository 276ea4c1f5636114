/** Figures of hours: sums of rows, and the packed series in which periods and months keep them. */
import { minuteShape } from '../../api/schemas/relays.ts'
import { packCounts, unpackCounts } from '../../base/packed-counts.ts'
import type { Counts } from '../usage.ts'
import type { UsageHourDoc } from '../usage-documents.ts'
import { hourMs } from './calendar.ts'
import {
  eachResult,
  eachRow,
  highestResults,
  isSameResults,
  joinResults,
  type PackedResults,
  packResults,
  type Results,
  resultsTogether,
} from './results.ts'

const minuteMs = 60_000
/** In periods and months: in, out, opened, refused of each hour from the start on. */
const hourShape = { width: 4, rows: 31 * 24 } as const
export type Sum = { -readonly [N in keyof Counts]: number } & Results
/** By the first ms of the hour. */
export type Hours = Map<number, Sum>
/** As periods and months keep them, packed by `hourShape` and as results.ts says. */
export type Series = PackedResults & { readonly hours: string }

export function zero(): Sum {
  return { in: 0, out: 0, opened: 0, refused: 0 }
}

export function entryOf<K>(map: Map<K, Sum>, key: K): Sum {
  const sum = map.get(key) ?? zero()
  map.set(key, sum)
  return sum
}

/** Adds what is carried. */
export function add(sum: Sum, row: Counts): void {
  sum.in += row.in
  sum.out += row.out
  sum.opened += row.opened
  sum.refused += row.refused
}

/** Adds all of it. @param how whether the other one is of the same time or of another */
export function addSum(sum: Sum, other: Sum, how: 'beside' | 'after' = 'beside'): void {
  add(sum, other)
  Object.assign(sum, joinResults(sum, other, how))
}

/** The same of a row, with its minutes. */
export function addRow(sum: Sum, row: UsageHourDoc): void {
  add(sum, row)
  Object.assign(sum, joinResults(sum, resultsTogether(row, minuteShape.rows), 'beside'))
}

/** The minutes of a row that are not empty. An answer may come in one in which none of its bytes was counted. */
export function minutesOfRow({ hour, minutes, ...row }: UsageHourDoc): Hours {
  const sums: Hours = new Map()
  for (const [minute, [bytesIn = 0, out = 0, opened = 0]] of eachRow(minutes, minuteShape))
    add(entryOf(sums, hour + minute * minuteMs), { in: bytesIn, out, opened, refused: 0 })
  for (const [at, results] of eachResult(row, { start: hour, stepMs: minuteMs, rows: minuteShape.rows })) {
    const sum = entryOf(sums, at)
    Object.assign(sum, joinResults(sum, results, 'after'))
  }
  return sums
}

export function sumByHour(rows: Iterable<UsageHourDoc>, hours: Hours = new Map()): Hours {
  for (const row of rows) addRow(entryOf(hours, row.hour), row)
  return hours
}

/** Those that are not empty. */
export function readHours(series: Series, start: number): Hours {
  const hours: Hours = new Map()
  for (const [row, [bytesIn = 0, out = 0, opened = 0, refused = 0]] of eachRow(series.hours, hourShape))
    hours.set(start + row * hourMs, { in: bytesIn, out, opened, refused })
  for (const [hour, results] of eachResult(series, { start, stepMs: hourMs, rows: hourShape.rows })) {
    const sum = entryOf(hours, hour)
    Object.assign(sum, joinResults(sum, results, 'after'))
  }
  return hours
}

function packHours(hours: ReadonlyMap<number, Counts>, start: number): string {
  const figures = new Array<number>(hourShape.width * hourShape.rows).fill(0)
  for (const [hour, sum] of hours) {
    const at = ((hour - start) / hourMs) * hourShape.width
    figures.splice(at, hourShape.width, sum.in, sum.out, sum.opened, sum.refused)
  }
  return packCounts(figures, hourShape)
}

/**
 * Merges sums into a series. The sum of an hour only rises while its rows are kept, so the higher of two is the newer:
 * roll-ups may overtake each other and repeat.
 */
export function mergeHours(series: Series, start: number, sums: ReadonlyMap<number, Sum>): Series {
  const hours = readHours({ hours: series.hours }, start)
  for (const [hour, sum] of sums) hours.set(hour, higher(hours.get(hour), sum))
  const { rows } = hourShape
  const results = packResults(sums, { start, stepMs: hourMs, rows })
  return { hours: packHours(hours, start), ...highestResults(results, series, rows) }
}

export function isSameSeries(a: Series, b: Series | undefined): boolean {
  return a.hours === b?.hours && isSameResults(a, b)
}

function higher(known: Counts | undefined, sum: Counts): Counts {
  if (known === undefined) return sum
  // Releases up to 0.1 kept both ways as one figure, which must not be added to the two.
  if (isOneWay(known) || isOneWay(sum)) return isOneWay(sum) ? larger(known, sum) : larger(sum, known)
  return {
    in: Math.max(known.in, sum.in),
    out: Math.max(known.out, sum.out),
    opened: Math.max(known.opened, sum.opened),
    refused: Math.max(known.refused, sum.refused),
  }
}

function larger(a: Counts, b: Counts): Counts {
  return a.in + a.out >= b.in + b.out ? a : b
}

function isOneWay({ in: bytesIn, opened, refused }: Counts): boolean {
  return bytesIn + opened + refused === 0
}

export function bytesOf(packed: string): number {
  const figures = unpackCounts(packed, hourShape) ?? []
  let bytes = 0
  for (let at = 0; at < figures.length; at += hourShape.width)
    bytes += (figures[at] ?? 0) + (figures[at + 1] ?? 0)
  return bytes
}
