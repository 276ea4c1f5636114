/**
 * Transfer that is paid for: whole megabytes (10^6 bytes) of each hour, in the order of time, beyond what the period
 * includes and up to the owner's cap. docs/decisions/0086
 */
import { unitsFor } from './amounts.ts'

const hourMs = 3_600_000
const megabyte = 1_000_000n

/** A part of the period with what it allows. Times in ms; spans do not overlap and are in order. */
export type TransferSpan = {
  readonly from: number
  readonly to: number
  /** Megabytes that a whole period under these terms includes. */
  readonly includedMB: bigint
  /** The most that transfer may cost in the period, in minor units; 0n = no more transfer is sold. */
  readonly cap: bigint
}

type TransferTerms = {
  readonly period: { readonly start: number; readonly end: number }
  /** May reach beyond the period: its last hour may end there. */
  readonly spans: readonly TransferSpan[]
  /** For a megabyte, in 10^-12 minor units; above 0. */
  readonly rate: bigint
  /** Megabytes that cost nothing (`includedOf`). */
  readonly included: bigint
}

/** First ms of an hour, UTC -> bytes carried in it, both directions. */
export type HourBytes = ReadonlyMap<number, bigint>

/**
 * What is billed of each hour, in megabytes; hours without are left out. An hour belongs to the period that holds its
 * start. An hour that is not covered from end to end is free: the first and the last of a subscription.
 */
export function billableHours(terms: TransferTerms, hours: HourBytes): ReadonlyMap<number, bigint> {
  const { start, end } = terms.period
  const inOrder = [...hours].filter(([hour]) => hour >= start && hour < end).sort(([a], [b]) => a - b)
  const { included } = terms
  const billed = new Map<number, bigint>()
  let used = 0n
  let sold = 0n
  for (const [hour, bytes] of inOrder) {
    const span = coverOf(terms.spans, hour)
    if (!span) continue
    const before = used
    used += bytes / megabyte
    const beyond = used - max(before, min(used, included))
    const more = min(beyond, max(0n, unitsFor(span.cap, terms.rate) - sold))
    if (more === 0n) continue
    sold += more
    billed.set(hour, more)
  }
  return billed
}

/** Megabytes that the period includes: each plan's for the share of time that it was in force, rounded down once. */
export function includedOf({ period, spans }: Pick<TransferTerms, 'period' | 'spans'>): bigint {
  const sum = spans.reduce((all, span) => {
    const from = Math.max(span.from, period.start)
    const to = Math.min(span.to, period.end)
    return to > from ? all + span.includedMB * seconds(to - from) : all
  }, 0n)
  return sum / seconds(period.end - period.start)
}

/** The terms of an hour: the most careful of all that it touches. @returns undefined when a part of it has none */
function coverOf(spans: readonly TransferSpan[], hour: number): Pick<TransferSpan, 'cap'> | undefined {
  const touched = spans.filter(({ from, to }) => from < hour + hourMs && to > hour)
  const [first, ...others] = touched
  if (!first || first.from > hour) return undefined
  let reached = first.to
  let { cap } = first
  for (const span of others) {
    if (span.from !== reached) return undefined
    reached = span.to
    cap = min(cap, span.cap)
  }
  return reached >= hour + hourMs ? { cap } : undefined
}

/** Periods and shares are counted in whole seconds, as Stripe does. */
export function seconds(ms: number): bigint {
  return BigInt(Math.floor(ms / 1_000))
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
