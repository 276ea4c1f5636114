/**
 * Follows the payment service: reads the whole customer and stores what that means, together with what the account may
 * do. Every event asks for the same job, so their order does not matter, and one that is lost is made good within a
 * week. docs/decisions/0090
 */
import { fail } from '../../base/errors.ts'
import { lookToAlertOfPayment } from '../alerts/payments.ts'
import { writeAudit } from '../audit.ts'
import type { Control } from '../control.ts'
import { type AccountDoc, accounts } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { lookToTellTeam } from '../team/letters.ts'
import { customers, type SubscriptionDoc, subscriptions } from './billing-documents.ts'
import type { Catalogue } from './catalogue-schema.ts'
import {
  boughtBytes,
  chooseSubscription,
  follow,
  includedBytes,
  type KnownCatalogues,
  newsOf,
  nextLook,
} from './following-rules.ts'
import { grantOf } from './grants.ts'
import { finishEvents } from './inbox.ts'
import { holdInvoice } from './late-usage.ts'
import { alignWithAccount, payerOf } from './leaving-payers.ts'
import { endAfterLostDispute } from './lost-disputes.ts'
import { lookToReport } from './meters.ts'
import { alignWithPlans } from './moving-payers.ts'
import type { CustomerState } from './payments.ts'
import { readKey } from './price-keys.ts'
import { endSecondTrial } from './trials.ts'

const kind = 'billing.customer'
/** Somebody else wrote meanwhile: then the truth is asked for again. */
const triesMax = 5
/** Tunnels above the free plan go on for so long after the grace is over. */
const lastDayMs = 24 * 3_600_000

/** Asks for a look at a customer within `tx`, as `look` of jobs. */
export function lookToFollow(tx: Transaction, customer: string, nowMs: number): Promise<() => string> {
  return look(tx, { kind, subject: customer, account: '' }, nowMs)
}

export async function askToFollow(control: Control, customer: string): Promise<void> {
  const nowMs = control.clock.now()
  const job = await control.store.transact(async (tx) => (await lookToFollow(tx, customer, nowMs))())
  await kick(control, [job])
}

/** After the deletion of an account has begun or was taken back: its subscription ends, or goes on, with it. */
export async function askToFollowPayer(control: Control, account: string): Promise<void> {
  const customer = await payerOf(control, account)
  if (customer !== undefined) await askToFollow(control, customer)
}

/** A look at a customer, and then another when its state changes by itself, for as long as it pays. */
export function followCustomers(control: Control): JobKind {
  return {
    name: kind,
    attemptsMax: 100,
    waitsMs: 8 * lastDayMs,
    run: async (job: RunningJob) => {
      const startedAt = control.clock.now()
      const doc = await followCustomer(control, job.subject)
      await finishEvents(control, job.subject, startedAt)
      const at = doc && nextLook(doc, control.clock.now())
      if (at !== undefined) await job.pause({}, at)
    },
  }
}

/** @returns undefined for a customer that is no account's */
export async function followCustomer(
  control: Control,
  customer: string,
): Promise<SubscriptionDoc | undefined> {
  const account = (await control.store.get(customers.ref(customer)))?.data.account
  if (account === undefined) return undefined
  for (let tries = 0; tries < triesMax; tries++) {
    const before = await control.store.get(subscriptions.ref(account))
    if (!before) return undefined
    // Read after our own version: what we know is then never newer than what we were told.
    const found = await control.payments.readCustomer(customer)
    if (await alignWithAccount(control, before, found)) continue
    if (await endSecondTrial(control, before, found)) continue
    if (await endAfterLostDispute(control, before, found)) continue
    if (await alignWithPlans(control, before, found)) continue
    await holdInvoice(control, customer, found)
    const known = await cataloguesOf(control, found)
    const done = await write(control, { before, found, known })
    if (done) return done
  }
  throw fail('store.contention')
}

/** Reads those of all its prices. A price of a catalogue that is gone means nothing to us: `follow` says so. */
function cataloguesOf({ catalogues }: Control, found: CustomerState): Promise<KnownCatalogues> {
  const items = found.subscriptions.flatMap(({ items: now, next }) => [...now, ...(next?.items ?? [])])
  return catalogues.ofAll(items.flatMap(({ price }) => readKey(price)?.version ?? []))
}

/** What a look would store now; nothing is changed anywhere. */
export async function wouldFollow(
  control: Control,
  before: SubscriptionDoc,
): Promise<SubscriptionDoc | undefined> {
  const found = await control.payments.readCustomer(before.customer)
  const known = await cataloguesOf(control, found)
  return follow(before, found, { known, nowMs: control.clock.now() })
}

/** @returns undefined when the document changed meanwhile */
async function write(
  control: Control,
  given: {
    readonly before: Snapshot<SubscriptionDoc>
    readonly found: CustomerState
    readonly known: KnownCatalogues
  },
): Promise<SubscriptionDoc | undefined> {
  const { before, found, known } = given
  const { account } = before.data
  const nowMs = control.clock.now()
  const { chosen, others } = chooseSubscription(found.subscriptions)
  const strange = { account, customer: before.data.customer }
  if (others.length > 0)
    control.log.error(
      { ...strange, subscriptions: others.map(({ id }) => id) },
      'An account pays for several subscriptions; refund and end the newer ones',
    )
  const after = follow(before.data, found, { known, nowMs })
  if (!after) {
    control.log.error(
      { ...strange, subscription: chosen?.id },
      'A subscription has prices that are no plan of ours; the account keeps what it has',
    )
    return before.data
  }
  const free = await control.catalogues.newest()
  const news = newsOf(before.data, after, nowMs)
  const jobs = await control.store.transact(async (tx) => {
    const latest = await tx.get(before.ref)
    if (latest?.version !== before.version) return undefined
    const owner = await tx.get(accounts.ref(account))
    const delayMs = after.state === 'limited' ? lastDayMs : 0
    const ask = await look(tx, { kind: 'limits', subject: account, account, dueAt: nowMs + delayMs }, nowMs)
    const tell = news && (await lookToTellTeam(tx, { event: news, account, user: '' }, nowMs))
    const alert = await lookToAlertOfPayment(tx, { account, before: before.data, after, nowMs })
    const report = after.capNow > 0 ? await lookToReport(tx, account, nowMs) : undefined
    tx.set(before.ref, news === 'billing-trial' ? { ...after, toldTrial: after.trialEnd } : after)
    const reports = [...(report ? [report()] : []), ...(tell ? [tell()] : []), ...alert()]
    const next = owner && entitled(owner.data, { before: before.data, after, free, known })
    if (!owner || !next) return reports
    tx.set(owner.ref, next)
    const { state, plan, seats } = after
    const entry = { account, actor: 'system', from: '', target: account, action: 'billing.changed' } as const
    writeAudit(tx, { ...entry, details: { from: before.data.state, to: state, plan, seats } }, nowMs)
    return [ask(), ...reports]
  })
  if (!jobs) return undefined
  await kick(control, jobs)
  return after
}

/**
 * What the account may do now. @returns undefined when nothing changes; an account that never paid keeps what an
 * operator gave it
 */
function entitled(
  owner: AccountDoc,
  {
    before,
    after,
    free,
    known,
  }: {
    readonly before: SubscriptionDoc
    readonly after: SubscriptionDoc
    readonly free: Catalogue
    readonly known: KnownCatalogues
  },
): AccountDoc | undefined {
  if (after.state === 'free' && before.state === 'free') return undefined
  const next = { ...owner, ...rights({ after, free, known }) }
  const hasBegun = before.state === 'free' && after.state !== 'free'
  const moved = hasBegun ? { ...next, periodAnchor: after.periodStart } : next
  return JSON.stringify(moved) === JSON.stringify(owner) ? undefined : moved
}

function rights({
  after,
  free,
  known,
}: {
  readonly after: SubscriptionDoc
  readonly free: Catalogue
  readonly known: KnownCatalogues
}): Pick<AccountDoc, 'plan' | 'granted'> {
  const catalogue = known.get(after.version)
  if (after.state === 'free' || after.state === 'limited' || !catalogue) return grantOf(free, 'free')
  return paidRights(after, catalogue)
}

/** What a paid plan gives, with the seats and the transfer that are paid for. */
function paidRights(doc: SubscriptionDoc, catalogue: Catalogue): Pick<AccountDoc, 'plan' | 'granted'> {
  const { plan, granted } = grantOf(catalogue, doc.plan)
  const included = includedBytes(doc, catalogue)
  const transfer =
    included === undefined ? {} : { transferBytesMonth: included + boughtBytes(doc, catalogue) }
  const seats = catalogue.plans[doc.plan]?.seats ? { seats: doc.seats } : {}
  return { plan, granted: granted && { ...granted, limits: { ...granted.limits, ...transfer, ...seats } } }
}
