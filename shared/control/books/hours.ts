/** Figures of hours: sums of rows, and the packed series in which periods and months keep them. */
import { packCounts, unpackCounts } from '../../base/packed-counts.ts'
import type { Counts } from '../usage.ts'
import type { UsageHourDoc } from '../usage-documents.ts'
import { hourMs } from './calendar.ts'

/** Of periods and months: in, out, opened, refused of each hour from the start on. */
const hourShape = { width: 4, rows: 31 * 24 } as const

export type Sum = { -readonly [N in keyof Counts]: number }
/** By the first ms of the hour. */
export type Hours = Map<number, Sum>

export function zero(): Sum {
  return { in: 0, out: 0, opened: 0, refused: 0 }
}

export function entryOf<K>(map: Map<K, Sum>, key: K): Sum {
  const sum = map.get(key) ?? zero()
  map.set(key, sum)
  return sum
}

export function add(sum: Sum, row: Counts): void {
  sum.in += row.in
  sum.out += row.out
  sum.opened += row.opened
  sum.refused += row.refused
}

export function sumByHour(rows: Iterable<UsageHourDoc>, hours: Hours = new Map()): Hours {
  for (const row of rows) add(entryOf(hours, row.hour), row)
  return hours
}

/** Those that are not empty. */
export function readHours(packed: string, start: number): Hours {
  const figures = unpackCounts(packed, hourShape) ?? []
  const hours: Hours = new Map()
  for (let at = 0; at < figures.length; at += hourShape.width) {
    const [bytesIn = 0, out = 0, opened = 0, refused = 0] = figures.slice(at, at + hourShape.width)
    if (bytesIn + out + opened + refused === 0) continue
    hours.set(start + (at / hourShape.width) * hourMs, { in: bytesIn, out, opened, refused })
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
 * Puts sums into a series. The sum of an hour only rises while its rows are kept, so of two the higher is the newer,
 * whoever counted when: roll-ups may overtake each other and repeat.
 */
export function mergeHours(packed: string, start: number, sums: ReadonlyMap<number, Counts>): string {
  const hours = readHours(packed, start)
  for (const [hour, sum] of sums) hours.set(hour, higher(hours.get(hour), sum))
  return packHours(hours, start)
}

function higher(known: Counts | undefined, sum: Counts): Sum {
  if (known === undefined) return { ...sum }
  // Releases up to 0.1 kept both ways as one figure, which must not be added to the two.
  if (isOneWay(known) || isOneWay(sum))
    return { ...(isOneWay(sum) ? larger(known, sum) : larger(sum, known)) }
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
