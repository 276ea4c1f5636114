/**
 * What a subscription document becomes from what the payment service says: pure, so that no order of events and no
 * repetition leads elsewhere. docs/plans.md has the states; docs/decisions/0090.
 */
import { currencySchema, unitsFor } from './amounts.ts'
import type { BillingState, SpanDoc, SubscriptionDoc } from './billing-documents.ts'
import type { Catalogue } from './catalogue-schema.ts'
import { planIn } from './grants.ts'
import type { CustomerState, PaidStatus, PaidSubscription } from './payments.ts'
import { type Terms, termsOf } from './price-keys.ts'
import { transferRateOf } from './prices.ts'

const dayMs = 24 * 3_600_000
/** From the finalisation of the oldest open invoice on, whenever its events come. */
export const graceMs = 7 * dayMs
/** So long before its end people hear that a trial will cost something. */
const trialNoticeMs = 3 * dayMs
/** Spans that ended so long ago are in no bill that can still change. */
const keepSpansMs = 70 * dayMs
/** Below so many paid invoices, a cap is at most the last total: a stolen card is found out by then. */
const trustedAfter = 3

const live: ReadonlySet<PaidStatus> = new Set(['trialing', 'active', 'past_due', 'unpaid', 'paused'])

/** The subscription that counts: the oldest live one. The others were paid twice, and an operator must hear of them. */
export function chooseSubscription(all: readonly PaidSubscription[]): {
  readonly chosen: PaidSubscription | undefined
  readonly others: readonly PaidSubscription[]
} {
  const [chosen, ...others] = all
    .filter(({ status }) => live.has(status))
    .toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
  return { chosen, others }
}

function stateOf(status: PaidStatus, openSince: number, nowMs: number): BillingState {
  if (status === 'trialing') return 'trial'
  if (status === 'active') return 'active'
  if (status === 'past_due') return openSince > 0 && nowMs >= openSince + graceMs ? 'limited' : 'pastDue'
  return status === 'unpaid' || status === 'paused' ? 'limited' : 'free'
}

/** Catalogues by version, all that the subscription names. */
export type KnownCatalogues = ReadonlyMap<number, Catalogue>

/** Seats that a plan of a version includes. */
export function includedSeats(catalogues: KnownCatalogues) {
  return (plan: string, version: number) => catalogues.get(version)?.plans[plan]?.seats?.included ?? 1
}

function termsIn({ items }: Pick<PaidSubscription, 'items'>, known: KnownCatalogues): Terms | undefined {
  return termsOf(items, includedSeats(known))
}

/**
 * @param found all of the customer
 * @returns undefined when the items are not a plan of ours: nothing changes, and an operator must look
 */
export function follow(
  before: SubscriptionDoc,
  found: CustomerState,
  { known, nowMs }: { readonly known: KnownCatalogues; readonly nowMs: number },
): SubscriptionDoc | undefined {
  const { chosen } = chooseSubscription(found.subscriptions)
  const graceFrom = found.openSince
  const { next: _, asked: __, closing, moving, ...kept } = before
  const { isDisputed } = found
  const seen = { ...kept, graceFrom, isDisputed, syncedAt: nowMs, checkedAt: before.checkedAt ?? 0 }
  if (!chosen) {
    const ended = Math.max(0, ...found.subscriptions.map(({ endedAt }) => endedAt))
    const at = seconds(ended > 0 ? Math.min(ended, nowMs) : nowMs)
    const timeline = cut(before.timeline, at)
    const last = lastTerms(before, found, known)
    return {
      ...seen,
      ...last,
      state: 'free',
      subscription: '',
      timeline,
      cancelAt: 0,
      trialEnd: 0,
      capNow: 0,
    }
  }
  const terms = termsIn(chosen, known)
  const catalogue = terms && known.get(terms.version)
  if (!terms || !catalogue || !Object.hasOwn(catalogue.plans, terms.plan)) return undefined
  const state = stateOf(chosen.status, found.openSince, nowMs)
  const nextTerms = chosen.next && termsOf(chosen.next.items, includedSeats(known))
  const after: SubscriptionDoc = {
    ...seen,
    ...terms,
    ...(closing && { closing }),
    ...(moving && terms.version < moving.to && { moving }),
    subscription: chosen.id,
    state,
    periodStart: chosen.period.start,
    periodEnd: chosen.period.end,
    trialEnd: chosen.trialEnd,
    cancelAt: chosen.cancelAt,
    ...lastPeriodOf(before, chosen),
    ...(nextTerms &&
      chosen.next && {
        next: {
          plan: nextTerms.plan,
          interval: nextTerms.interval,
          seats: nextTerms.seats,
          at: chosen.next.at,
        },
      }),
  }
  const isArrived = before.asked?.items === textOf(chosen)
  const capNow = capOf(after, found, catalogue)
  const at = timeOfChange(before, chosen, { nowMs, isArrived })
  const timeline = continued(before.timeline, { ...after, capNow }, at)
  return { ...after, capNow, timeline, ...(before.asked && !isArrived && { asked: before.asked }) }
}

/** What the subscription that ended last had in the end, whatever we heard of it. Late usage is billed by it. */
function lastTerms(
  before: SubscriptionDoc,
  { subscriptions }: CustomerState,
  known: KnownCatalogues,
): Partial<SubscriptionDoc> {
  const ended = subscriptions.filter(({ status }) => status === 'canceled')
  const last = ended.toSorted((a, b) => a.endedAt - b.endedAt).at(-1)
  const terms = last && termsIn(last, known)
  if (!last || !terms || !known.has(terms.version)) return {}
  const { start: periodStart, end: periodEnd } = last.period
  return { ...terms, periodStart, periodEnd, ...lastPeriodOf(before, last) }
}

/** Usage of it may still come when the next one has begun. */
function lastPeriodOf(
  { periodStart: start, periodEnd: end, lastPeriod }: SubscriptionDoc,
  { period }: PaidSubscription,
): Pick<SubscriptionDoc, 'lastPeriod'> {
  const cut = period.start < end && { cutAt: period.start }
  if (start > 0 && period.start > start) return { lastPeriod: { start, end, ...cut } }
  return lastPeriod ? { lastPeriod } : {}
}

/** Compares what was asked for with what arrived. */
export function textOf({
  items,
}: {
  readonly items: PaidSubscription['items'] | readonly { price: string; quantity: number }[]
}): string {
  const texts = items.map(({ price, quantity }) => `${price}=${quantity}`)
  return texts.toSorted().join(' ')
}

function timeOfChange(
  before: SubscriptionDoc,
  { id, period }: PaidSubscription,
  { nowMs, isArrived }: { readonly nowMs: number; readonly isArrived: boolean },
): number {
  if (isArrived && before.asked && before.asked.at >= period.start) return before.asked.at
  const isNew = id !== before.subscription || period.start > before.periodStart
  return seconds(isNew ? period.start : Math.max(period.start, nowMs))
}

/** How much of the owner's cap counts now. */
function capOf(
  { state, interval, cap, isDisputed, plan, currency }: SubscriptionDoc,
  { paidCount, lastTotal }: CustomerState,
  catalogue: Catalogue,
): number {
  if (state !== 'active' || interval !== 'month' || isDisputed || paidCount === 0) return 0
  if (!catalogue.plans[plan]?.overage || !currencySchema.safeParse(currency).success) return 0
  return paidCount < trustedAfter ? Math.min(cap, Math.max(0, lastTotal)) : cap
}

/** The timeline with what is in force from `at` to the end of the period. */
function continued(timeline: readonly SpanDoc[], doc: SubscriptionDoc, at: number): readonly SpanDoc[] {
  const { plan, version, interval, seats, state, capNow: cap, periodEnd } = doc
  const oldest = doc.periodStart - keepSpansMs
  const kept = timeline.filter(({ to }) => to > oldest)
  if (state === 'free') return cut(kept, at)
  const span: SpanDoc = { plan, version, interval, seats, state, cap, from: at, to: periodEnd }
  const last = kept.at(-1)
  if (last && isSame(last, span) && last.to >= at)
    return [...kept.slice(0, -1), { ...last, to: Math.max(last.from, periodEnd) }]
  return at < periodEnd ? [...cut(kept, at), span] : cut(kept, at)
}

function isSame(a: SpanDoc, b: SpanDoc): boolean {
  const { from: _, to: __, ...one } = a
  const { from: ___, to: ____, ...other } = b
  return Object.entries(one).every(([name, value]) => other[name as keyof typeof other] === value)
}

function cut(timeline: readonly SpanDoc[], at: number): readonly SpanDoc[] {
  return timeline.flatMap((span) => (span.from >= at ? [] : [{ ...span, to: Math.min(span.to, at) }]))
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000
}

/** Bytes that a plan's account may carry beyond what is included, by the cap that counts. */
export function boughtBytes({ capNow, currency }: SubscriptionDoc, catalogue: Catalogue): number {
  const parsed = currencySchema.safeParse(currency)
  const rate = parsed.success ? transferRateOf(catalogue, parsed.data) : undefined
  return rate === undefined ? 0 : Number(unitsFor(BigInt(capNow), rate)) * 1_000_000
}

/** The plan that these rights come from. @throws plan.unknown */
export function includedBytes({ plan, state }: SubscriptionDoc, catalogue: Catalogue): number | undefined {
  const { trial, includedGB } = planIn(catalogue, plan)
  const gigabytes = state === 'trial' ? (trial?.includedGB ?? 0) : includedGB
  return gigabytes === 'unlimited' ? undefined : gigabytes * 1_000_000_000
}

/** What its people have to hear of when `before` becomes `after`; undefined: nothing. */
export function newsOf(
  before: SubscriptionDoc,
  after: SubscriptionDoc,
  nowMs: number,
): 'billing-open' | 'billing-limited' | 'billing-trial' | undefined {
  const { state, trialEnd, cancelAt, toldTrial } = after
  if (state === 'pastDue' && before.state !== 'pastDue') return 'billing-open'
  if (state === 'limited' && before.state !== 'limited') return 'billing-limited'
  const isSoon = state === 'trial' && cancelAt === 0 && nowMs >= trialEnd - trialNoticeMs
  return isSoon && toldTrial !== trialEnd ? 'billing-trial' : undefined
}

/** When it must be looked at again, though nothing may be heard of it. @returns undefined: never */
export function nextLook(doc: SubscriptionDoc, nowMs: number): number | undefined {
  if (doc.state === 'free') return undefined
  const grace = doc.state === 'pastDue' && doc.graceFrom > 0 ? [doc.graceFrom + graceMs] : []
  const trial = doc.state === 'trial' ? [doc.trialEnd - trialNoticeMs] : []
  const times = [...grace, ...trial, doc.periodEnd + 3_600_000, nowMs + 7 * dayMs]
  return Math.max(nowMs + 60_000, Math.min(...times.filter((at) => at > nowMs)))
}
