/**
 * Compares, some accounts each hour and all of them in two weeks, what the payment service has with what we store: the
 * subscription, the lines of its invoices with `bill()`, and the transfer that was reported. The service is right about
 * money, and we are about usage (money.md, section 6). What differs is kept with the account until it does no more:
 * `ptunctl billing drift`. Where many differ at once we have misunderstood something, so nothing is repaired then.
 */
import { codes, isFailure } from '../../base/errors.ts'
import { type AccountControl, type Control, controlOf } from '../control.ts'
import type { JobKind, RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { bill } from './bill.ts'
import { type SubscriptionDoc, subscriptions } from './billing-documents.ts'
import { billInputOf } from './billing-period.ts'
import { followCustomer, wouldFollow } from './following.ts'
import { lineDifferences } from './line-differences.ts'
import { reportedMegabytes, reportsAgain } from './meters.ts'

/** By it the log wakes somebody in the cloud (cdktf/alerts.ts). */
const { code, title } = codes['billing.drift']
const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Each takes about seven calls, of the 100 in a second that Stripe allows. */
const pageItems = 25
const roundMs = 14 * dayMs
/** What differed is looked at again so soon. */
const againMs = dayMs
/** Above so many accounts that differ, nothing is repaired. */
const repairsMax = 20
/** Stripe counts reports in the background; of the last hours it need not know yet. */
const settledMs = 3 * hourMs

export function reconcileBilling(control: Control): JobKind {
  return {
    name: 'billing.reconcile',
    attemptsMax: Number.MAX_SAFE_INTEGER,
    everyMs: hourMs,
    run: (job) => reconcilePage(control, job),
  }
}

async function reconcilePage(control: Control, job: RunningJob): Promise<void> {
  const { store, clock, payments } = control
  if (payments.kind === 'none') return
  const { items } = await store.query(queries.subscriptionsByCheck, {
    where: {},
    to: clock.now() - roundMs,
    limit: pageItems,
  })
  let { length: differing } = (await driftingAccounts(control)).items
  for (const found of items) {
    job.signal.throwIfAborted()
    const drift = await reconcile(control, found, { repairs: differing < repairsMax })
    if (drift.length > 0) differing++
    await job.advance({})
  }
  if (differing >= repairsMax)
    control.log.error({ code, accounts: differing }, 'Many accounts differ from Stripe; nothing is repaired')
}

/** How many differed when they were looked at last; one more than are repaired stands for all above. */
export async function countDrift(control: Pick<Control, 'store'>): Promise<number> {
  return (await driftingAccounts(control)).items.length
}

/** Those that differed when they were looked at last, the oldest first; at most as many as are repaired. */
function driftingAccounts({ store }: Pick<Control, 'store'>) {
  return store.query(queries.subscriptionsByDrift, { where: {}, from: 1, limit: repairsMax + 1 })
}

/** @returns what differs, in words */
async function reconcile(
  control: Control,
  { ref, data: before }: Snapshot<SubscriptionDoc>,
  { repairs }: { readonly repairs: boolean },
): Promise<readonly string[]> {
  const nowMs = control.clock.now()
  const own = controlOf(control, before.account)
  const drift: string[] = []
  try {
    if (before.state !== 'free' || before.subscription !== '') {
      const look = repairs ? followCustomer(control, before.customer) : wouldFollow(control, before)
      const after = await look
      drift.push(...documentDifferences(before, after ?? before, nowMs))
      drift.push(...(await billDifferences(own, after ?? before)))
      drift.push(...(await meterDifferences(own, after ?? before, { repairs })))
    }
  } catch (error) {
    // It is away, or its key is wrong: the next hour tries again.
    if (isFailure(error, 'billing.unavailable') || isFailure(error, 'billing.key')) throw error
    if (!isFailure(error)) throw error
    drift.push(error.detail)
  }
  if (drift.length > 0)
    control.log.error({ code, account: before.account, customer: before.customer, drift }, title)
  await note(control, { ref, drift, nowMs })
  return drift
}

async function note(
  { store }: Control,
  {
    ref,
    drift,
    nowMs,
  }: { readonly ref: Snapshot<SubscriptionDoc>['ref'] } & {
    readonly drift: readonly string[]
    readonly nowMs: number
  },
): Promise<void> {
  await store.change(ref, (current) => {
    if (!current) return 'keep'
    const { drift: _, driftAt, ...rest } = current
    const isSame = drift.length > 0
    const checkedAt = isSame ? nowMs - roundMs + againMs : nowMs
    return {
      ...rest,
      checkedAt,
      ...(isSame && { drift: drift.slice(0, linesMax), driftAt: driftAt ?? nowMs }),
    }
  })
}

/** A document has a bound, and a person reads the first lines. */
const linesMax = 20

const compared = [
  'subscription',
  'state',
  'plan',
  'version',
  'interval',
  'seats',
  'currency',
  'periodEnd',
  'cancelAt',
  'isDisputed',
] as const

/** What a look at the customer changed, though everything that changes is told to us. */
function documentDifferences(
  before: SubscriptionDoc,
  after: SubscriptionDoc,
  nowMs: number,
): readonly string[] {
  // Word of a new period may still be on its way.
  if (nowMs < before.periodEnd + settledMs && nowMs >= before.periodEnd) return []
  return compared.flatMap((name) =>
    before[name] === after[name] ? [] : [`${name}: we had ${before[name]}, Stripe has ${after[name]}`],
  )
}

/** Plans and seats of the present period. Transfer is on the invoice of the next. */
async function billDifferences(own: AccountControl, doc: SubscriptionDoc): Promise<readonly string[]> {
  const { periodStart: start, periodEnd: end } = doc
  if (doc.subscription === '' || doc.state === 'free' || end <= own.clock.now()) return []
  const input = await billInputOf(own, doc, { period: { start, end }, hours: new Map() })
  if (!input) return []
  const lines = await own.payments.listLines(doc.customer, start - dayMs)
  const flat = lines.filter(({ price, to }) => !price.startsWith('pt:transfer:') && to === end)
  return lineDifferences(
    flat,
    bill(input).lines.filter(({ kind }) => kind !== 'transfer'),
  )
}

async function meterDifferences(
  own: AccountControl,
  doc: SubscriptionDoc,
  { repairs }: { readonly repairs: boolean },
): Promise<readonly string[]> {
  const nowMs = own.clock.now()
  const from = Math.ceil(doc.periodStart / hourMs) * hourMs
  const to = Math.floor((Math.min(nowMs, doc.periodEnd) - settledMs) / hourMs) * hourMs
  if (doc.version === 0 || doc.interval !== 'month' || to <= from) return []
  const { transfer } = await own.catalogues.of(doc.version)
  if (!transfer) return []
  const reported = await reportedMegabytes(own, { start: from, end: to })
  // Nothing was ever sold to most accounts: no call for them.
  if (reported === 0) return []
  const found = await own.payments.readUsage({ meter: transfer.meter, customer: doc.customer, from, to })
  if (found === reported) return []
  if (repairs) {
    const job = await reportsAgain(own, { start: from, end: to })
    await kick(own, [job])
  }
  return [`transfer: we reported ${reported} MB, Stripe has ${found}`]
}

/** What `ptunctl billing drift` and the operator's page say. */
export async function describeDrift(control: Control) {
  const { items } = await driftingAccounts(control)
  return {
    accounts: items.slice(0, repairsMax).map(({ data: { account, customer, drift = [], driftAt = 0 } }) => ({
      account,
      customer,
      since: driftAt,
      drift: [...drift],
    })),
    more: items.length > repairsMax,
  }
}

/** One account, now: whoever looks at it by hand need not wait for its turn. */
export async function reconcileAccount(control: Control, account: string): Promise<readonly string[]> {
  const found = await control.store.get(subscriptions.ref(account))
  return found ? reconcile(control, found, { repairs: true }) : []
}
