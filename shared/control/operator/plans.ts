/** The catalogue of plans: read it, try a new one, put it in force. */
import { z } from 'zod'
import { formatAmount } from '../money/amounts.ts'
import { readCatalogue } from '../money/catalogue.ts'
import {
  type Catalogue,
  type Interval,
  intervals,
  type Plan,
  planNameSchema,
} from '../money/catalogue-schema.ts'
import { applyCatalogue } from '../money/catalogues.ts'
import { migratePlans } from '../money/migrating.ts'
import { currenciesOf, priceOf } from '../money/prices.ts'
import { declareAct, writeAct } from './act.ts'

export const planActs = {
  'plans.show': declareAct(z.strictObject({}), async ({ control }) => control.catalogues.newest()),
  'plans.list': declareAct(z.strictObject({}), async ({ control }) => {
    const catalogue = await control.catalogues.newest()
    return Object.entries(catalogue.plans).map(([name, plan]) => describe(catalogue, name, plan))
  }),
  /** `file` is what a reader of YAML makes of it. */
  'plans.apply': declareAct(
    z.strictObject({ file: z.unknown(), dryRun: z.boolean().default(false) }),
    async ({ control }, { file, dryRun }, by) => {
      const catalogue = readCatalogue(file)
      const { version } = catalogue
      const before = dryRun
        ? await control.catalogues.newest()
        : await applyCatalogue(control, catalogue, (tx) => {
            const nowMs = control.clock.now()
            writeAct(tx, by, { action: 'plans.applied', target: `${version}`, details: { version } }, nowMs)
          })
      return { version, applied: !dryRun, changes: changesOf(before, catalogue) }
    },
  ),
  /** Without `apply`, it only says what would happen. */
  'plans.migrate': declareAct(
    z.strictObject({ plan: planNameSchema.optional(), apply: z.boolean().default(false) }),
    ({ control }, { plan, apply }, by) =>
      migratePlans(control, {
        plan,
        isDry: !apply,
        write: (tx, { account, ...details }, nowMs) =>
          writeAct(tx, by, { account, action: 'account.plan', target: account, details }, nowMs),
      }),
  ),
}

function describe(catalogue: Catalogue, name: string, plan: Plan) {
  const { title, includedGB, offered, limits } = plan
  return {
    name,
    title,
    price: pricesOf(catalogue, plan).join(', ') || 'nothing',
    tunnelsOnline: limits.tunnelsOnline,
    includedGB,
    offered,
  }
}

function pricesOf(catalogue: Catalogue, plan: Plan): readonly string[] {
  const price = (interval: Interval) =>
    currenciesOf(catalogue).flatMap((currency) => {
      const amount = priceOf(plan, interval, currency)
      return amount === undefined ? [] : [`${formatAmount(amount, currency)} a ${interval}`]
    })
  return intervals.flatMap(price)
}

/** A line for each plan that is new, gone or different. */
function changesOf(before: Catalogue, after: Catalogue): readonly string[] {
  const names = [...new Set([...Object.keys(before.plans), ...Object.keys(after.plans)])]
  return names.flatMap((name) => {
    const [old, now] = [before.plans[name], after.plans[name]]
    if (!now) return [`${name}: gone; accounts that have it keep it`]
    if (!old) return [`${name}: new`]
    const fields = Object.keys({ ...old, ...now }) as (keyof Plan)[]
    const changed = fields.filter((field) => JSON.stringify(old[field]) !== JSON.stringify(now[field]))
    return changed.length > 0
      ? [`${name}: ${changed.join(', ')}; accounts that have it keep what they have`]
      : []
  })
}
