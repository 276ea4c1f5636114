/**
 * Moves accounts that keep what an earlier catalogue gave them to the plan of the same name as it is now. An operator
 * sees first whom it concerns and what each plan gains and loses; nothing moves by itself (docs/decisions/0086). Those
 * that pay are told, and move with a renewal (moving-payers.ts).
 */
import { isFailure } from '../../base/errors.ts'
import { type Control, controlOf } from '../control.ts'
import type { AccountDoc } from '../documents.ts'
import { kick } from '../jobs/kick.ts'
import { changeLimits } from '../limits.ts'
import { type PlanLimits, planLimitsOf } from '../plans.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { lookToTellTeam } from '../team/letters.ts'
import { currencySchema, formatAmount } from './amounts.ts'
import { type SubscriptionDoc, subscriptions } from './billing-documents.ts'
import type { Catalogue } from './catalogue-schema.ts'
import { lookToFollow } from './following.ts'
import { grantOf } from './grants.ts'
import { movedTerms, noticeMs } from './moving-payers.ts'
import { priceOf } from './prices.ts'

const pageItems = 200
/** A run moves so many and says that there are more, so that none takes longer than a request may. */
const movesMax = 500

type Group = {
  readonly plan: string
  /** The catalogue that gave them what they have; 0: a release that had none. */
  readonly from: number
  accounts: number
  /** They pay: they move with a renewal, after their people were told. */
  readonly atRenewal: boolean
  readonly changes: readonly string[]
}
type Migration = {
  readonly to: number
  readonly groups: readonly Group[]
  /** Accounts whose plan is gone, or that pay what is not sold so any more: they keep what they have. */
  readonly kept: number
  /** Accounts that wait for a renewal, and how many of them were told by this run. */
  readonly waiting: number
  readonly told: number
  readonly moved: number
  /** Run it again: there are more. */
  readonly more: boolean
}
type Options = {
  readonly plan?: string | undefined
  readonly isDry: boolean
  /** Writes the audit entry of one account, with its move. */
  readonly write: (
    tx: Transaction,
    entry: { readonly account: string; readonly from: number; readonly plan: string },
    nowMs: number,
  ) => void
}

/** @param options `plan`: of this plan alone */
export async function migratePlans(control: Control, { plan, isDry, write }: Options): Promise<Migration> {
  const catalogue = await control.catalogues.newest()
  const run = { control, catalogue, isDry, write }
  const groups = new Map<string, Group>()
  const counts = { kept: 0, waiting: 0, told: 0, moved: 0 }
  let more = false
  for await (const found of eachAccount(control)) {
    const { data } = found
    const isOld = (data.granted?.version ?? 0) < catalogue.version
    if (!isOld || (plan !== undefined && data.plan !== plan)) continue
    if (counts.moved + counts.told >= movesMax) {
      more = true
      break
    }
    // What is paid for follows from the subscription alone.
    const subscription = await control.store.get(subscriptions.ref(found.ref.id))
    const paid = subscription && subscription.data.state !== 'free' ? subscription : undefined
    const outcome = paid ? await movePayer(run, found, paid) : await moveFree(run, found)
    if (outcome.count !== undefined) counts[outcome.count]++
    if (outcome.count === 'told') counts.waiting++
    const { group: one } = outcome
    if (!one) continue
    const key = `${one.plan}:${one.from}:${one.atRenewal}`
    const group = groups.get(key)
    if (group) group.accounts++
    else groups.set(key, one)
  }
  return { to: catalogue.version, groups: [...groups.values()], ...counts, more }
}

type Run = Omit<Options, 'plan'> & { readonly control: Control; readonly catalogue: Catalogue }
type Outcome = { readonly group?: Group; readonly count?: 'kept' | 'waiting' | 'told' | 'moved' }

async function moveFree(run: Run, { ref, data }: Snapshot<AccountDoc>): Promise<Outcome> {
  const { catalogue, isDry } = run
  const { plan, granted } = data
  if (!Object.hasOwn(catalogue.plans, plan)) return { count: 'kept' }
  const from = granted?.version ?? 0
  const group = { plan, from, accounts: 1, atRenewal: false, changes: changes(catalogue, data) }
  return { group, ...(!isDry && (await move(run.control, { ...run, id: ref.id })) && { count: 'moved' }) }
}

async function movePayer(
  { control, catalogue, isDry, write }: Run,
  { ref, data }: Snapshot<AccountDoc>,
  { ref: at, data: doc }: Snapshot<SubscriptionDoc>,
): Promise<Outcome> {
  const { plan, version, moving } = doc
  const from = (await control.catalogues.ofAll([version])).get(version)
  if (!from || !movedTerms(doc, { from, to: catalogue })) return { count: 'kept' }
  if (moving?.to === catalogue.version) return { count: 'waiting' }
  const before = from.plans[plan]
  const granted = before && { version, limits: planLimitsOf(before), features: before.features }
  const group: Group = {
    plan,
    from: version,
    accounts: 1,
    atRenewal: true,
    changes: [
      ...priceChanges(doc, { from, to: catalogue }),
      ...changes(catalogue, { ...data, plan, ...(granted && { granted }) }),
    ],
  }
  if (isDry) return { group }
  const nowMs = control.clock.now()
  const jobs = await control.store.transact(async (tx) => {
    const latest = await tx.get(at)
    const tell = await lookToTellTeam(tx, { event: 'billing-moving', account: ref.id, user: '' }, nowMs)
    const follow = await lookToFollow(tx, doc.customer, nowMs)
    if (!latest || latest.data.state === 'free' || latest.data.moving?.to === catalogue.version)
      return undefined
    tx.update(at, { moving: { to: catalogue.version, after: nowMs + noticeMs } })
    write(tx, { account: ref.id, from: version, plan }, nowMs)
    return [tell(), follow()]
  })
  if (jobs) await kick(control, jobs)
  return { group, count: jobs ? 'told' : 'waiting' }
}

/** In the currency and interval in which it is paid. */
function priceChanges(
  { plan, interval, currency }: SubscriptionDoc,
  { from, to }: { readonly from: Catalogue; readonly to: Catalogue },
): readonly string[] {
  const of = currencySchema.parse(currency)
  const text = (catalogue: Catalogue) => {
    const amount = priceOf(catalogue.plans[plan] ?? { prices: {} }, interval, of)
    return amount === undefined ? 'not sold' : formatAmount(amount, of)
  }
  return text(from) === text(to) ? [] : [`price a ${interval} ${text(from)} -> ${text(to)}`]
}

/** @returns false when it was moved or got another plan meanwhile */
async function move(
  control: Control,
  { id, catalogue, write }: { readonly id: string; readonly catalogue: Catalogue } & Pick<Options, 'write'>,
): Promise<boolean> {
  let isMoved = false
  const change = (tx: Transaction, before: AccountDoc, nowMs: number): AccountDoc => {
    const { plan, granted } = before
    isMoved = (granted?.version ?? 0) < catalogue.version && Object.hasOwn(catalogue.plans, plan)
    if (!isMoved) return before
    write(tx, { account: id, from: granted?.version ?? 0, plan }, nowMs)
    return { ...before, ...grantOf(catalogue, plan) }
  }
  const tell = (tx: Transaction, nowMs: number) =>
    lookToTellTeam(tx, { event: 'billing-moved', account: id, user: '' }, nowMs)
  await changeLimits(controlOf(control, id), change, tell).catch((error: unknown) => {
    // It was erased meanwhile.
    if (!isFailure(error, 'api.not_found')) throw error
    isMoved = false
  })
  return isMoved
}

async function* eachAccount({ store }: Control): AsyncGenerator<Snapshot<AccountDoc>> {
  for (const status of ['active', 'suspended'] as const) {
    let after: readonly [string | number, string] | undefined
    do {
      const options = { where: { status }, limit: pageItems, ...(after && { after }) }
      const page = await store.query<AccountDoc>(queries.accountsByStatus, options)
      yield* page.items
      after = page.next
    } while (after)
  }
}

/** What the plan gains and loses, in words. */
function changes({ plans }: Catalogue, { plan, granted }: AccountDoc): readonly string[] {
  const next = plans[plan]
  if (!next || !granted) return ['it was granted by a release that did not note what']
  const limits = planLimitsOf(next)
  const names = Object.keys(limits) as (keyof PlanLimits)[]
  const ofLimits = names.flatMap((name) => {
    const before = granted.limits[name]
    return before === limits[name] ? [] : [`${name} ${before ?? 'unlimited'} -> ${limits[name]}`]
  })
  const gained = next.features.filter((feature) => !granted.features.includes(feature))
  const lost = granted.features.filter((feature) => !next.features.some((kept) => kept === feature))
  return [...ofLimits, ...gained.map((feature) => `+ ${feature}`), ...lost.map((feature) => `- ${feature}`)]
}
