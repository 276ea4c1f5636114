/**
 * Accounts, money and transfer of the whole service, once a day: no store can count or sum for us, and a look at the
 * page must not read all accounts. A job walks the accounts page by page, with its sums in its progress, and writes a
 * document for the day and one for its month. About eight reads for each account and day; docs/cost.md.
 */
import { z } from 'zod'
import { add, zero } from '../books/hours.ts'
import { type Control, controlOf } from '../control.ts'
import type { AccountDoc } from '../documents.ts'
import type { JobKind, RunningJob } from '../jobs/jobs.ts'
import { parseDecimal } from '../money/amounts.ts'
import { subscriptions } from '../money/billing-documents.ts'
import type { Catalogue } from '../money/catalogue-schema.ts'
import { netOf } from '../money/margins.ts'
import { recurringOf } from '../money/recurring.ts'
import type { Doc, Page, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { quotas } from '../quota-documents.ts'
import { hoursOfAccount } from '../usage-reads.ts'
import { activityOf, addActivity, noActivity } from './activity.ts'
import {
  type ActivityFigures,
  activityDays,
  type ByPlan,
  type PlanFigures,
  serviceDays,
  serviceMonths,
  type Talker,
} from './figure-documents.ts'

const dayMs = 24 * 3_600_000
/** By then the books have the last hour of the day (books/count.ts). */
const afterMs = 2 * 3_600_000
const pageItems = 50
const talkersMax = 50
/** A catalogue has fewer; accounts of plans that are no more count together. */
const plansMax = 40
const otherPlans = 'other'
/** As long as usage rows: the day names accounts. */
const dayKeptMs = 40 * dayMs
const monthKeptMs = 400 * dayMs
/** A month's mean. */
const monthDays = 30.4

const figuresSchema = z.object({
  accounts: z.int(),
  paying: z.int(),
  trial: z.int(),
  online: z.int(),
  recurring: z.record(z.string(), z.int()),
  bytes: z.int(),
  netMicros: z.int(),
  costMicros: z.int(),
})
const cohortSchema = z.object({
  accounts: z.int(),
  proven: z.int(),
  tunnel: z.int(),
  visitor: z.int(),
  paying: z.int(),
  active: z.int(),
})
const activitySchema = z.object({
  accounts: z.int(),
  day: z.int(),
  week: z.int(),
  month: z.int(),
  cohorts: z.record(z.string(), cohortSchema),
})
const progressSchema = z.object({
  /** The day that is walked, and where the walk is. */
  day: z.int().optional(),
  status: z.enum(['active', 'suspended']).default('active'),
  after: z.tuple([z.union([z.string(), z.number()]), z.string()]).optional(),
  plans: z.record(z.string(), figuresSchema).default({}),
  talkers: z
    .array(z.object({ account: z.string(), bytes: z.int(), opened: z.int(), refused: z.int() }))
    .default([]),
  activity: activitySchema.default({ ...noActivity, cohorts: {} }),
  /** The last day that was written. */
  doneDay: z.int().default(-1),
})
type Progress = z.infer<typeof progressSchema>

export function makeFigures(control: Control): JobKind {
  return {
    name: 'service.figures',
    attemptsMax: Number.MAX_SAFE_INTEGER,
    everyMs: dayMs,
    waitsMs: dayMs + afterMs,
    run: (job) => run(control, job),
  }
}

async function run(control: Control, job: RunningJob): Promise<void> {
  const known = progressSchema.parse(job.progress)
  const nowMs = control.clock.now()
  const day = Math.floor((nowMs - afterMs) / dayMs) * dayMs - dayMs
  if (known.doneDay !== day) {
    // A day that is over for longer cannot be made any more: nobody knows what plans were then.
    let walk = known.day === day ? known : progressSchema.parse({ day, doneDay: known.doneDay })
    for (;;) {
      job.signal.throwIfAborted()
      const next = await walkPage(control, walk, day)
      if (!next) break
      walk = next
      await job.advance(bodyOf(walk))
    }
    // A service without accounts has no figures: on its first day it had not even begun.
    if (Object.keys(walk.plans).length > 0) await write(control, job, { day, walk })
  }
  await job.pause({ doneDay: day }, day + 2 * dayMs + afterMs)
}

function bodyOf({ after, ...others }: Progress): Doc {
  return { ...others, ...(after && { after: [...after] }) } as Doc
}

/** @returns undefined when all accounts have been seen */
async function walkPage(control: Control, walk: Progress, day: number): Promise<Progress | undefined> {
  const { status, after } = walk
  const page: Page<AccountDoc> = await control.store.query(queries.accountsByStatus, {
    where: { status },
    limit: pageItems,
    ...(after && { after }),
  })
  const catalogue = await control.catalogues.newest()
  const seen = await Promise.all(page.items.map((found) => look(control, found, { day, catalogue })))
  const plans: Record<string, PlanFigures> = { ...walk.plans }
  for (const { plan, figures } of seen) {
    const name = plans[plan] || Object.keys(plans).length < plansMax ? plan : otherPlans
    plans[name] = together(plans[name], figures)
  }
  const talkers = [...walk.talkers, ...seen.map(({ talker }) => talker).filter(({ bytes }) => bytes > 0)]
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, talkersMax)
  const activity = seen.reduce((sum, one) => addActivity(sum, one.activity), walk.activity as ActivityFigures)
  const sums = { ...walk, plans, talkers, activity } as Progress
  if (page.next) return { ...sums, after: [...page.next] }
  if (status === 'suspended') return void Object.assign(walk, { plans, talkers, activity })
  return { ...sums, status: 'suspended', after: undefined }
}

type Looked = {
  readonly plan: string
  readonly figures: PlanFigures
  readonly talker: Talker
  readonly activity: ActivityFigures
}

async function look(
  control: Control,
  found: Snapshot<AccountDoc>,
  { day, catalogue }: { readonly day: number; readonly catalogue: Catalogue },
): Promise<Looked> {
  const { id } = found.ref
  const { plan } = found.data
  const [paid, quota, hours] = await Promise.all([
    control.store.get(subscriptions.ref(id)),
    control.store.get(quotas.ref(id)),
    hoursOfAccount(controlOf(control, id), { from: day, to: day + dayMs - 1 }),
  ])
  const carried = zero()
  for (const [hour, sum] of hours) if (hour >= day && hour < day + dayMs) add(carried, sum)
  const bytes = carried.in + carried.out
  const online = quota?.data.online ?? 0
  const sold = paid && (await recurringOf(control, paid.data))
  const net = sold ? netOf(sold.catalogue, sold.text, sold.currency, paid.data.interval) : 0n
  const figures = {
    accounts: 1,
    paying: sold ? 1 : 0,
    trial: paid?.data.state === 'trial' ? 1 : 0,
    online,
    recurring: sold ? { [sold.currency]: sold.minorAMonth } : {},
    bytes,
    netMicros: Math.round(toMicros(net) / monthDays),
    costMicros: costMicros(catalogue, { bytes, online }),
  }
  const { opened, refused } = carried
  const known = { day, opened, tunnels: quota?.data.tunnels ?? 0, isPaying: sold !== undefined }
  const activity = await activityOf(control, found, known)
  return { plan, figures, talker: { account: id, bytes, opened, refused }, activity }
}

/** @param dollars x 10^12 */
function toMicros(dollars: bigint): number {
  return Number(dollars / 1_000_000n)
}

/** What a day costs. */
function costMicros(
  { costs }: Catalogue,
  { bytes, online }: { readonly bytes: number; readonly online: number },
) {
  const transfer = (toMicros(parseDecimal(costs.gb)) * bytes) / 1e9
  return Math.round(transfer + (toMicros(parseDecimal(costs.tunnel)) * online) / monthDays)
}

function together(a: PlanFigures | undefined, b: PlanFigures): PlanFigures {
  if (!a) return b
  const recurring = { ...a.recurring }
  for (const [currency, amount] of Object.entries(b.recurring))
    recurring[currency] = (recurring[currency] ?? 0) + amount
  return {
    accounts: a.accounts + b.accounts,
    paying: a.paying + b.paying,
    trial: a.trial + b.trial,
    online: a.online + b.online,
    recurring,
    bytes: a.bytes + b.bytes,
    netMicros: a.netMicros + b.netMicros,
    costMicros: a.costMicros + b.costMicros,
  }
}

/** The day and its month at once, so that a day is in its month once however often this runs. */
async function write(
  control: Control,
  job: RunningJob,
  { day, walk: { plans, talkers, activity } }: { readonly day: number; readonly walk: Progress },
): Promise<void> {
  const text = new Date(day).toISOString()
  const month = Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)) - 1)
  const [dayRef, monthRef] = [serviceDays.ref(text.slice(0, 10)), serviceMonths.ref(text.slice(0, 7))]
  const madeAt = control.clock.now()
  await job.advance({ doneDay: day }, async (tx) => {
    const before = (await tx.get(monthRef))?.data
    const { accounts, cohorts, ...active } = activity
    tx.set(activityDays.ref(text.slice(0, 10)), {
      ...{ day, madeAt, accounts, active, cohorts },
      ttl: new Date(day + monthKeptMs),
    })
    tx.set(dayRef, { day, madeAt, plans, talkers, ttl: new Date(day + dayKeptMs) })
    if (before && before.lastDay >= day) return
    const days = (before?.days ?? 0) + 1
    const ofMonth = inMonth(before?.plans ?? {}, plans)
    tx.set(monthRef, {
      month,
      lastDay: day,
      days,
      madeAt,
      plans: ofMonth,
      ttl: new Date(month + monthKeptMs),
    })
  })
}

/** Counts of the last day, sums of all days. A plan that nobody has any more keeps its sums. */
function inMonth(before: ByPlan, day: ByPlan): ByPlan {
  const nobody = {
    accounts: 0,
    paying: 0,
    trial: 0,
    online: 0,
    recurring: {},
    bytes: 0,
    netMicros: 0,
    costMicros: 0,
  }
  const names = new Set([...Object.keys(before), ...Object.keys(day)])
  return Object.fromEntries(
    Array.from(names, (name) => {
      const [sums, last] = [before[name] ?? nobody, day[name] ?? nobody]
      const { bytes, netMicros, costMicros } = together(sums, last)
      return [name, { ...last, bytes, netMicros, costMicros }]
    }),
  )
}
