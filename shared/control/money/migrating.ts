/**
 * Moves accounts that keep what an earlier catalogue gave them to the plan of the same name as it is now. An operator
 * sees first whom it concerns and what each plan gains and loses; nothing moves by itself (docs/decisions/0086).
 */
import { isFailure } from '../../base/errors.ts'
import { type Control, controlOf } from '../control.ts'
import type { AccountDoc } from '../documents.ts'
import { changeLimits } from '../limits.ts'
import { type PlanLimits, planLimitsOf } from '../plans.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { lookToTellTeam } from '../team/letters.ts'
import { subscriptions } from './billing-documents.ts'
import type { Catalogue } from './catalogue-schema.ts'
import { grantOf } from './grants.ts'

const pageItems = 200
/** A run moves so many and says that there are more, so that none takes longer than a request may. */
const movesMax = 500

type Group = {
  readonly plan: string
  /** The catalogue that gave them what they have; 0: a release that had none. */
  readonly from: number
  accounts: number
  readonly changes: readonly string[]
}
type Migration = {
  readonly to: number
  readonly groups: readonly Group[]
  /** Accounts whose plan is gone, and those that pay: they keep what they have. */
  readonly kept: number
  readonly paying: number
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
  const groups = new Map<string, Group>()
  let kept = 0
  let paying = 0
  let moved = 0
  let more = false
  for await (const { ref, data } of eachAccount(control)) {
    const from = data.granted?.version ?? 0
    if (from >= catalogue.version || (plan !== undefined && data.plan !== plan)) continue
    if (!Object.hasOwn(catalogue.plans, data.plan)) {
      kept++
      continue
    }
    // What is paid for follows from the subscription alone.
    const subscription = await control.store.get(subscriptions.ref(ref.id))
    if (subscription && subscription.data.state !== 'free') {
      paying++
      continue
    }
    if (!isDry && moved >= movesMax) {
      more = true
      break
    }
    const group = groups.get(`${data.plan}:${from}`)
    if (group) group.accounts++
    else
      groups.set(`${data.plan}:${from}`, {
        plan: data.plan,
        from,
        accounts: 1,
        changes: changes(catalogue, data),
      })
    if (!isDry && (await move(control, { id: ref.id, catalogue, write }))) moved++
  }
  return { to: catalogue.version, groups: [...groups.values()], kept, paying, moved, more }
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
