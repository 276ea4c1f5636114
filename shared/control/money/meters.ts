/**
 * Transfer that is sold, reported to the payment service: of each counted hour the megabytes that are billed, beyond
 * what the period includes and up to the cap. One sender for an account, one hour after the other. What an hour comes
 * to is noted before it is sent and marked after, so a report that was lost is sent again with its own identifier and
 * counts once; a higher figure is a later revision, and the value that arrived last counts (money.md, section 4).
 */
import type { AccountControl, Control } from '../control.ts'
import { controlOf } from '../control.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import type { Page, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type BillPeriod, billableOf } from './bill.ts'
import {
  type MeterReportDoc,
  meterReports,
  type SubscriptionDoc,
  subscriptions,
} from './billing-documents.ts'
import { billInputOf, countedHours } from './billing-period.ts'

const kind = 'billing.meter'
const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** The books have counted an hour 20 min after its end; a little later they have it for sure. */
const afterMs = 25 * 60_000
/** Stripe takes no older ones (35 days). */
const oldestMs = 34 * dayMs
/** Usage of relays that were cut off comes within two days of a period's end. */
const tailMs = 3 * dayMs
const keepMs = 400 * dayMs

/** Asks for reports of an account whose plan sells transfer. */
export function lookToReport(tx: Transaction, account: string, nowMs: number): Promise<() => string> {
  return look(tx, { kind, subject: account, account }, nowMs)
}

/** It runs each hour for as long as the account may buy transfer, and until late usage of its last period has come. */
export function reportTransfer(control: Control): JobKind {
  return {
    name: kind,
    attemptsMax: Number.MAX_SAFE_INTEGER,
    waitsMs: 2 * hourMs,
    run: async (job: RunningJob) => {
      const own = controlOf(control, job.account)
      const doc = (await own.store.get(subscriptions.ref(job.account)))?.data
      const nowMs = control.clock.now()
      if (!doc || doc.version === 0 || !sellsTransfer(doc, nowMs)) return
      await sendHours(own, doc, job.signal)
      await job.pause({}, (Math.floor(nowMs / hourMs) + 1) * hourMs + afterMs)
    },
  }
}

/**
 * Reports what the books have counted, now: Stripe bills what it has when a subscription or its meter ends, and nothing
 * afterwards. Call it before every such end; it runs beside the job without harm.
 * @throws billing.unavailable, billing.refused
 */
export async function flushTransfer(own: AccountControl, signal: AbortSignal): Promise<void> {
  const doc = (await own.store.get(subscriptions.ref(own.store.account)))?.data
  if (doc && doc.version !== 0 && sellsTransfer(doc, own.clock.now())) await sendHours(own, doc, signal)
}

/**
 * Whether anything of it can still be billed: of a span that may still get late usage, or of the present period, where
 * what was lost on the way is sent again (`reportsAgain`).
 */
function sellsTransfer({ timeline, periodStart, periodEnd }: SubscriptionDoc, nowMs: number): boolean {
  const isPresent = nowMs < periodEnd + tailMs
  return timeline.some(
    ({ cap, to, interval }) =>
      interval === 'month' && cap > 0 && (to + tailMs > nowMs || (isPresent && to > periodStart)),
  )
}

async function sendHours(own: AccountControl, doc: SubscriptionDoc, signal: AbortSignal): Promise<void> {
  const nowMs = own.clock.now()
  for (const period of periodsOf(doc, nowMs)) {
    const { start, end, cutAt = end } = period
    const hours = await countedHours(own, start, Math.min(nowMs, cutAt))
    const input = await billInputOf(own, doc, { period, hours })
    const meter = input?.catalogueOf(doc.version).transfer?.meter
    if (!input || meter === undefined) continue
    const billed = billableOf(input)
    const sent = await reportsOf(own, { start, end: cutAt })
    const all = new Set([...billed.keys(), ...sent.keys()])
    for (const hour of [...all].sort((a, b) => a - b)) {
      signal.throwIfAborted()
      if (hour < nowMs - oldestMs) continue
      const asked = { meter, customer: doc.customer, hour, megabytes: Number(billed.get(hour) ?? 0n) }
      await sendHour(own, asked, sent.get(hour))
    }
  }
}

/** The present period, and the one before it while late usage may come for it. */
function periodsOf(
  { periodStart, periodEnd, lastPeriod }: SubscriptionDoc,
  nowMs: number,
): readonly BillPeriod[] {
  const now = { start: periodStart, end: periodEnd }
  return lastPeriod && nowMs <= periodStart + tailMs ? [lastPeriod, now] : [now]
}

async function reportsOf(
  { store }: AccountControl,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<ReadonlyMap<number, MeterReportDoc>> {
  const found = new Map<number, MeterReportDoc>()
  let after: Page<MeterReportDoc>['next']
  do {
    const options = { where: { account: store.account }, from: start, to: end - 1, limit: 500 }
    const page: Page<MeterReportDoc> = await store.query(queries.meterReportsOfAccount, {
      ...options,
      ...(after && { after }),
    })
    for (const { data } of page.items) found.set(data.hour, data)
    after = page.next
  } while (after)
  return found
}

async function sendHour(
  own: AccountControl,
  asked: Omit<Parameters<AccountControl['payments']['report']>[0], 'key'>,
  known: MeterReportDoc | undefined,
): Promise<void> {
  const { store, payments, clock } = own
  const { account } = store
  const { hour, megabytes } = asked
  const ref = meterReports.ref(`${account}:${hour}`)
  const send = async (report: MeterReportDoc) => {
    const key = `${account}.${hour}.${report.revision}`
    await payments.report({ ...asked, megabytes: report.megabytes, key })
    await store.update(ref, { sent: report.revision })
  }
  // An earlier one may or may not have arrived: it is settled before anything newer.
  if (known && known.sent < known.revision) await send(known)
  if ((known?.megabytes ?? 0) === megabytes) return
  const revision = (known?.revision ?? 0) + 1
  const ttl = new Date(clock.now() + keepMs)
  const next: MeterReportDoc = { account, hour, megabytes, revision, sent: known?.sent ?? 0, ttl }
  // A flush and the job may meet: whoever notes a revision first has it, and the other sends nothing.
  const noted = await store.change(ref, (current) =>
    (current?.revision ?? 0) === (known?.revision ?? 0) ? next : 'keep',
  )
  if (noted?.revision === revision && noted.megabytes === megabytes) await send(next)
}

type Hours = { readonly start: number; readonly end: number }

/** All that was reported of these hours, and is settled. */
export async function reportedMegabytes(own: AccountControl, hours: Hours): Promise<number> {
  const found = await reportsOf(own, hours)
  return [...found.values()].reduce((sum, { megabytes, sent }) => sum + (sent > 0 ? megabytes : 0), 0)
}

/** Has the reports of these hours sent once more, as newer revisions of the same. @returns the job that does it */
export async function reportsAgain(own: AccountControl, hours: Hours): Promise<string> {
  const { store, clock } = own
  for (const { hour } of (await reportsOf(own, hours)).values())
    await store.change(meterReports.ref(`${store.account}:${hour}`), (current) =>
      current ? { ...current, revision: current.revision + 1, sent: current.revision } : 'keep',
    )
  return store.transact(async (tx) => (await lookToReport(tx, store.account, clock.now()))())
}
