/** Figures of hours: sums of rows, and the packed series in which periods and months keep them. */
import { answerShape } from '../../api/schemas/relays.ts'
import { highestCounts, packCounts, unpackCounts } from '../../base/packed-counts.ts'
import type { Counts } from '../usage.ts'
import type { UsageHourDoc } from '../usage-documents.ts'
import { hourMs } from './calendar.ts'

/** In periods and months: in, out, opened, refused of each hour from the start on. */
const hourShape = { width: 4, rows: 31 * 24 } as const
/** How requests were answered in each hour from the start on, by the places of `answerShape`. */
const hourAnswers = { width: answerShape.width, rows: hourShape.rows } as const

export type Answers = readonly number[]
export type Sum = { -readonly [N in keyof Counts]: number } & {
  /** undefined: there were none. */
  answers?: Answers
}
/** By the first ms of the hour. */
export type Hours = Map<number, Sum>
/** As periods and months keep them, packed by `hourShape` and `hourAnswers`. Older documents have no `answers`. */
export type Series = { readonly hours: string; readonly answers?: string }

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

export function addAnswers(sum: Sum, answers: Answers | undefined): void {
  if (answers) sum.answers = answers.map((count, at) => count + (sum.answers?.[at] ?? 0))
}

/** Adds all of it. */
export function addSum(sum: Sum, other: Sum): void {
  add(sum, other)
  addAnswers(sum, other.answers)
}

/** The same of a row, with its minutes. */
export function addRow(sum: Sum, row: UsageHourDoc): void {
  add(sum, row)
  addAnswers(sum, answersInHour(row.answers))
}

/** The minutes together. */
function answersInHour(packed: string | undefined): Answers | undefined {
  const figures = packed === undefined || packed === '' ? undefined : unpackCounts(packed, answerShape)
  if (!figures) return undefined
  const counts = new Array<number>(answerShape.width).fill(0)
  for (const [at, figure] of figures.entries()) {
    const place = at % answerShape.width
    counts[place] = (counts[place] ?? 0) + figure
  }
  return counts
}

export function sumByHour(rows: Iterable<UsageHourDoc>, hours: Hours = new Map()): Hours {
  for (const row of rows) addRow(entryOf(hours, row.hour), row)
  return hours
}

/** Those that are not empty. */
export function readHours({ hours: packed, answers }: Series, start: number): Hours {
  const hours: Hours = new Map()
  for (const [hour, [bytesIn = 0, out = 0, opened = 0, refused = 0]] of eachHour(packed, hourShape, start))
    hours.set(hour, { in: bytesIn, out, opened, refused })
  for (const [hour, counts] of eachHour(answers ?? '', hourAnswers, start))
    addAnswers(entryOf(hours, hour), counts)
  return hours
}

function* eachHour(
  packed: string,
  shape: typeof hourShape | typeof hourAnswers,
  start: number,
): Generator<readonly [hour: number, figures: readonly number[]]> {
  const figures = packed === '' ? undefined : unpackCounts(packed, shape)
  for (let at = 0; figures && at < figures.length; at += shape.width) {
    const row = figures.slice(at, at + shape.width)
    if (row.some(Boolean)) yield [start + (at / shape.width) * hourMs, row]
  }
}

function packHours(hours: ReadonlyMap<number, Counts>, start: number): string {
  const figures = new Array<number>(hourShape.width * hourShape.rows).fill(0)
  for (const [hour, sum] of hours) {
    const at = ((hour - start) / hourMs) * hourShape.width
    figures.splice(at, hourShape.width, sum.in, sum.out, sum.opened, sum.refused)
  }
  return packCounts(figures, hourShape)
}

function packAnswers(hours: ReadonlyMap<number, Sum>, start: number): string {
  const figures = new Array<number>(hourAnswers.width * hourAnswers.rows).fill(0)
  for (const [hour, { answers }] of hours)
    if (answers) figures.splice(((hour - start) / hourMs) * hourAnswers.width, hourAnswers.width, ...answers)
  return packCounts(figures, hourAnswers)
}

/**
 * Merges sums into a series. The sum of an hour only rises while its rows are kept, so the higher of two is the newer:
 * roll-ups may overtake each other and repeat.
 */
export function mergeHours(series: Series, start: number, sums: ReadonlyMap<number, Sum>): Required<Series> {
  const hours = readHours({ hours: series.hours }, start)
  for (const [hour, sum] of sums) hours.set(hour, higher(hours.get(hour), sum))
  const known = series.answers ?? ''
  const hasMore = [...sums.values()].some(({ answers }) => answers !== undefined)
  const answers = hasMore ? highestCounts(known, packAnswers(sums, start), hourAnswers) : known
  return { hours: packHours(hours, start), answers: answers ?? known }
}

export function isSameSeries(a: Series, b: Series | undefined): boolean {
  return a.hours === b?.hours && (a.answers ?? '') === (b.answers ?? '')
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
