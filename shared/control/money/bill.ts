/**
 * What an account owes for a period, from what it had and what relays carried: the same lines that Stripe's invoices
 * have, computed without Stripe. Pure and exact; each line is rounded once. docs/decisions/0086
 */
import { type Currency, divideRounded, rateOf, roundRate } from './amounts.ts'
import type { Catalogue, Interval, Plan } from './catalogue-schema.ts'
import { planKey, seatsKey, transferKey } from './price-keys.ts'
import { priceOf, seatPriceOf, transferRateOf } from './prices.ts'
import { billableHours, type HourBytes, includedOf, seconds, type TransferSpan } from './transfer.ts'

/**
 * What an account had from `from` to `to` (ms; Stripe counts seconds, so they are whole). Spans are in order and do
 * not overlap; a gap is time on the free plan.
 */
export type Span = {
  readonly from: number
  readonly to: number
  readonly plan: string
  readonly version: number
  readonly interval: Interval
  /** Members who count. */
  readonly seats: number
  /** docs/decisions/0086: a trial costs nothing, and only an active plan sells more transfer. */
  readonly state: 'trial' | 'active' | 'pastDue' | 'limited'
  /** The most that the owner lets transfer cost in a period, in minor units. */
  readonly cap: bigint
}

export type BillPeriod = {
  readonly start: number
  readonly end: number
  /** Another period began here, before this one was over. */
  readonly cutAt?: number
}

export type BillInput = {
  readonly currency: Currency
  /** The catalogue of a version. */
  readonly catalogueOf: (version: number) => Catalogue
  /** All spans of the period; later ones tell whether its last hour was whole. */
  readonly timeline: readonly Span[]
  readonly period: BillPeriod
  readonly hours: HourBytes
  /** Minor units that the account has to its credit. */
  readonly credit?: bigint
  /** Minor units of tax, as the payment service computed them. */
  readonly tax?: bigint
}

export type BillLine = {
  readonly kind: 'plan' | 'seats' | 'transfer'
  /** The price's lookup key at Stripe. */
  readonly price: string
  /** Whether it corrects what was paid at the start of the period. */
  readonly isProration: boolean
  readonly from: number
  readonly to: number
  /** Seats, megabytes, or 1. */
  readonly quantity: bigint
  /** Minor units; below 0: given back. */
  readonly amount: bigint
}

export type Bill = {
  readonly currency: Currency
  readonly lines: readonly BillLine[]
  readonly subtotal: bigint
  readonly tax: bigint
  /** Credit that is used up. */
  readonly credit: bigint
  /** Never below 0. */
  readonly due: bigint
  /** What is left to the account's credit. */
  readonly left: bigint
}

/** @throws RangeError for spans that overlap or are out of order: the timeline is ours, so that is a fault of ours */
export function bill(input: BillInput): Bill {
  const { currency, tax = 0n, credit = 0n } = input
  const lines = [...flatLines(input, 'plan'), ...flatLines(input, 'seats'), ...transferLines(input)]
  const subtotal = lines.reduce((sum, { amount }) => sum + amount, 0n)
  const total = subtotal + tax
  const due = total > credit ? total - credit : 0n
  const used = total < 0n ? 0n : total - due
  return { currency, lines, subtotal, tax, credit: used, due, left: credit - total + due }
}

/**
 * Whole periods are paid at their start, and an end gives nothing back. A change gives back the rest of the old and
 * takes the rest of the new.
 */
function flatLines(input: BillInput, kind: 'plan' | 'seats'): readonly BillLine[] {
  const { period, currency } = input
  const all = seconds(period.end) - seconds(period.start)
  const spans = spansIn(input)
  const lines: BillLine[] = []
  /** Exact cost of the time before the change, x seconds of the period. */
  let past = 0n
  let owed = 0n
  for (const [index, span] of spans.entries()) {
    const before = spans[index - 1]
    const now = flatOf(input, span, kind)
    const old = before && flatOf(input, before, kind)
    if (before && old) past += old.amount * (seconds(span.from) - seconds(before.from))
    if (before && isSameFlat(old, now) && before.to === span.from) continue
    const rest = seconds(period.end) - seconds(span.from)
    const share = { from: span.from, to: period.end, isProration: span.from > period.start }
    const next = divideStepped(past + (now?.amount ?? 0n) * rest, all, currency)
    const whole = now ? divideStepped((old?.amount ?? 0n) * rest, all, currency) : owed - next
    const back = old ? -whole : 0n
    if (old && back !== 0n)
      lines.push({ kind, ...share, price: old.price, quantity: old.quantity, amount: back })
    // The difference of two rounded sums, so that any number of changes rounds no more than one does.
    const amount = next - owed - back
    if (now && (amount !== 0n || !share.isProration))
      lines.push({ kind, ...share, price: now.price, quantity: now.quantity, amount })
    owed = next
  }
  return lines
}

type Flat = { readonly price: string; readonly quantity: bigint; readonly amount: bigint }

function flatOf(input: BillInput, span: Span | Gap, kind: 'plan' | 'seats'): Flat | undefined {
  if (!('plan' in span)) return undefined
  const { plan } = planOf(input, span)
  const { currency } = input
  const price = (kind === 'seats' ? seatsKey : planKey)({ ...span, currency })
  if (kind === 'plan') {
    const amount = priceOf(plan, span.interval, currency) ?? 0n
    return { price, quantity: 1n, amount: span.state === 'trial' ? 0n : amount }
  }
  const more = BigInt(Math.max(0, span.seats - (plan.seats?.included ?? span.seats)))
  if (more === 0n) return undefined
  const each = seatPriceOf(plan, span.interval, currency) ?? 0n
  return { price, quantity: more, amount: span.state === 'trial' ? 0n : each * more }
}

function isSameFlat(a: Flat | undefined, b: Flat | undefined): boolean {
  return a?.price === b?.price && a?.amount === b?.amount && a?.quantity === b?.quantity
}

type Gap = { readonly from: number; readonly to: number }
type Timed = Pick<BillInput, 'timeline' | 'period'>

/** The spans of this period alone: those that another one began with are its own. */
function ownSpans({ timeline, period: { cutAt } }: Timed): readonly Span[] {
  if (cutAt === undefined) return timeline
  return timeline.flatMap((span) => (span.from < cutAt ? [{ ...span, to: Math.min(span.to, cutAt) }] : []))
}

/**
 * The same as if the last terms had stayed to the period's end: nothing is given back for an end at once, as at Stripe,
 * which prorates one only when it is asked to. So the period's transfer is included as a whole as well.
 */
function paidSpans(input: Timed): readonly Span[] {
  const inside = ownSpans(input).filter(({ from }) => from < input.period.end)
  const last = inside.at(-1)
  return last ? [...inside.slice(0, -1), { ...last, to: Math.max(last.to, input.period.end) }] : inside
}

/** The period from its start to its end, with gaps where nothing was paid for. */
function spansIn(input: Timed): readonly (Span | Gap)[] {
  const { period } = input
  const own = ownSpans(input)
  // The next period took over: the rest of this one is given back.
  const isReplaced = period.cutAt !== undefined && own.at(-1)?.to === period.cutAt
  const found: (Span | Gap)[] = []
  let reached = period.start
  for (const span of isReplaced ? own : paidSpans(input)) {
    const from = Math.max(span.from, period.start)
    const to = Math.min(span.to, period.end)
    if (from >= to) continue
    if (from < reached) throw new RangeError('spans of a timeline must be in order, and not overlap')
    if (from > reached) found.push({ from: reached, to: from })
    found.push({ ...span, from, to })
    reached = to
  }
  if (reached < period.end) found.push({ from: reached, to: period.end })
  return found
}

function transferLines(input: BillInput): readonly BillLine[] {
  const { period, currency } = input
  const rate = rateIn(input)
  const quantity = [...billableOf(input).values()].reduce((sum, mb) => sum + mb, 0n)
  if (!rate || quantity === 0n) return []
  const price = transferKey(rate.catalogue, currency)
  const amount = roundRate(quantity * rate.rate, currency)
  return [
    { kind: 'transfer', price, isProration: false, from: period.start, to: period.end, quantity, amount },
  ]
}

/** Megabytes that are billed of each hour of the period: what is reported to the payment service's meter. */
export function billableOf(input: BillInput): ReadonlyMap<number, bigint> {
  const rate = rateIn(input)?.rate
  if (rate === undefined) return new Map()
  const spans = ownSpans(input).map((span) => termsOf(input, span))
  const { start, end, cutAt = end } = input.period
  return billableHours(
    { period: { start, end: cutAt }, rate, spans, included: includedIn(input) },
    input.hours,
  )
}

/** One metered price serves all plans (money.md, rule 6), so a period has one rate: that of its first catalogue. */
function rateIn(input: BillInput): { readonly rate: bigint; readonly catalogue: Catalogue } | undefined {
  const { period, currency } = input
  const [first] = input.timeline.filter(({ from, to }) => from < period.end && to > period.start)
  if (!first || first.interval === 'year') return undefined
  const { catalogue } = planOf(input, first)
  const rate = transferRateOf(catalogue, currency)
  return rate === undefined ? undefined : { rate, catalogue }
}

/**
 * Megabytes that the period includes, whenever its subscription ends or a year takes over.
 * @param input as `bill` has it
 */
export function includedIn(input: Pick<BillInput, 'catalogueOf' | 'timeline' | 'period'>): bigint {
  return includedOf({ period: input.period, spans: paidSpans(input).map((span) => termsOf(input, span)) })
}

function termsOf(input: Pick<BillInput, 'catalogueOf'>, span: Span): TransferSpan {
  const { plan } = planOf(input, span)
  const gigabytes = span.state === 'trial' ? (plan.trial?.includedGB ?? 0) : plan.includedGB
  const includedMB = gigabytes === 'unlimited' ? 10n ** 15n : BigInt(gigabytes) * 1_000n
  const mayBuy = span.state === 'active' && span.interval === 'month' && plan.overage !== undefined
  return { from: span.from, to: span.to, includedMB, cap: mayBuy ? span.cap : 0n }
}

function planOf(
  { catalogueOf }: Pick<BillInput, 'catalogueOf'>,
  span: Span,
): {
  readonly plan: Plan
  readonly catalogue: Catalogue
} {
  const catalogue = catalogueOf(span.version)
  const plan = catalogue.plans[span.plan]
  if (!plan) throw new RangeError(`the catalogue ${span.version} has no plan ${span.plan}`)
  return { plan, catalogue }
}

/** n/d minor units, half away from zero, to the currency's step. */
function divideStepped(n: bigint, d: bigint, currency: Currency): bigint {
  return roundRate(divideRounded(rateOf(n), d), currency)
}
