/**
 * What this period's invoice will have, before anything is charged: from `bill()`, the timeline and the books, without
 * asking the payment service. Tax comes on top; only that service knows it.
 */
import { fail } from '../../base/errors.ts'
import { readHours, sumByHour } from '../books/hours.ts'
import { eachRows } from '../books/rows.ts'
import type { AccountControl, AnyControl } from '../control.ts'
import { queries } from '../query-table.ts'
import { currencySchema } from './amounts.ts'
import { type Bill, type BillInput, bill, includedIn, type Span } from './bill.ts'
import { type SubscriptionDoc, subscriptions } from './billing-documents.ts'

const hourMs = 3_600_000
const megabyte = 1_000_000n

type BillingPeriod = {
  readonly start: number
  readonly end: number
  readonly currency: string
  readonly includedMB: bigint
  readonly usedMB: bigint
  readonly soFar: Bill
  /** If transfer goes on as in this period up to now. */
  readonly forecast: Bill
}

/** @throws billing.none for an account that pays nothing */
export async function readBillingPeriod(control: AccountControl): Promise<BillingPeriod> {
  const { store, clock } = control
  const doc = (await store.get(subscriptions.ref(store.account)))?.data
  const currency = currencySchema.safeParse(doc?.currency)
  if (!doc || doc.state === 'free' || !currency.success) throw fail('billing.none')
  const nowMs = clock.now()
  const period = { start: doc.periodStart, end: doc.periodEnd }
  const hours = await hoursOf(control, period.start, Math.min(nowMs, period.end))
  const input = await billInputOf(control, doc, { period, hours })
  if (!input) throw fail('billing.none')
  return {
    ...period,
    currency: currency.data,
    includedMB: includedIn(input),
    usedMB: [...hours.values()].reduce((sum, bytes) => sum + bytes / megabyte, 0n),
    soFar: bill(input),
    forecast: bill({ ...input, hours: forecast(hours, period, nowMs) }),
  }
}

/** @returns undefined for a subscription in no currency of ours */
export async function billInputOf(
  control: AnyControl,
  doc: SubscriptionDoc,
  { period, hours }: Pick<BillInput, 'period' | 'hours'>,
): Promise<BillInput | undefined> {
  const currency = currencySchema.safeParse(doc.currency)
  if (!currency.success) return undefined
  const known = await control.catalogues.ofAll([doc.version, ...doc.timeline.map(({ version }) => version)])
  return {
    currency: currency.data,
    catalogueOf: (version) => known.get(version) ?? missing(version),
    timeline: doc.timeline.map((span): Span => ({ ...span, cap: BigInt(span.cap) })),
    period,
    hours,
  }
}

function missing(version: number): never {
  throw new RangeError(`the catalogue ${version} of a timeline is unknown`)
}

/** Bytes by hour: as they are counted, and from relays' rows since then. */
async function hoursOf(control: AccountControl, from: number, to: number): Promise<Map<number, bigint>> {
  const { account } = control.store
  const { hours, countedTo } = await booksOf(control, from, to)
  const since = new Map<number, bigint>()
  for await (const rows of eachRows(control, { account, from: countedTo, to }))
    for (const [hour, sum] of sumByHour(rows))
      if (hour >= countedTo) since.set(hour, (since.get(hour) ?? 0n) + BigInt(sum.in) + BigInt(sum.out))
  // The books may have counted one of these hours, where its usage came late: its rows are all there is of it.
  return new Map([...hours, ...since])
}

/**
 * Only what the books have counted: it never falls. Usage that comes late is counted into its hour at once, while
 * `countedTo` moves on with usage that comes in time, so it says nothing about such an hour.
 */
export async function countedHours(
  control: AccountControl,
  from: number,
  to: number,
): Promise<ReadonlyMap<number, bigint>> {
  return (await booksOf(control, from, to)).hours
}

async function booksOf(control: AccountControl, from: number, to: number) {
  const { account } = control.store
  const first = Math.floor(from / hourMs) * hourMs
  const page = await control.store.query(queries.periodsOfAccount, { where: { account }, to, limit: 6 })
  const hours = new Map<number, bigint>()
  let countedTo = first
  for (const { data } of page.items) {
    if (data.state === undefined || data.end <= first) continue
    countedTo = Math.max(countedTo, Math.min(data.countedTo, to))
    const series = { hours: data.lateHours === '' ? data.hours : data.lateHours }
    for (const [hour, sum] of readHours(series, data.start))
      if (hour >= first && hour < to) hours.set(hour, BigInt(sum.in) + BigInt(sum.out))
  }
  return { hours, countedTo }
}

/** The hours to come, each with the mean of those that were. */
function forecast(
  hours: ReadonlyMap<number, bigint>,
  { start, end }: { readonly start: number; readonly end: number },
  nowMs: number,
): ReadonlyMap<number, bigint> {
  const past = BigInt(Math.max(1, Math.ceil((nowMs - start) / hourMs)))
  const sum = [...hours.values()].reduce((all, bytes) => all + bytes, 0n)
  const mean = sum / past
  const all = new Map(hours)
  for (let hour = Math.ceil(nowMs / hourMs) * hourMs; hour < end; hour += hourMs) all.set(hour, mean)
  return all
}
