/** Reads the figures of the whole service, for the operator's page. Nothing is counted when somebody looks. */
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { accounts } from '../documents.ts'
import { queries } from '../query-table.ts'
import { type ByPlan, serviceDays } from './figure-documents.ts'

const monthsMax = 13

/** The newest month first. */
export async function readRevenue({ store }: Control) {
  const { items } = await store.query(queries.serviceMonthsByTime, { where: {}, limit: monthsMax })
  return {
    months: items.map(({ ref: { id }, data: { days, lastDay, madeAt, plans } }) => ({
      month: id,
      days,
      lastDay: dayText(lastDay),
      madeAt,
      plans: listPlans(plans),
    })),
  }
}

function listPlans(plans: ByPlan) {
  return Object.entries(plans)
    .map(([plan, { recurring, ...figures }]) => ({ plan, ...figures, recurring: { ...recurring } }))
    .toSorted((a, b) => b.netMicros - a.netMicros || b.accounts - a.accounts)
}

function dayText(day: number): string {
  return new Date(day).toISOString().slice(0, 10)
}

/**
 * Accounts that carried most on a day.
 * @param wanted `YYYY-MM-DD`; undefined: the newest that there is
 * @throws operator.missing when there are no figures of that day
 */
export async function readTalkers({ store }: Control, wanted: string | undefined) {
  const newest = (await store.query(queries.serviceDaysByTime, { where: {}, limit: 1 })).items[0]
  const found = wanted === undefined ? newest : await store.get(serviceDays.ref(wanted))
  if (!found && wanted !== undefined) throw fail('operator.missing', `There are no figures of ${wanted}.`)
  const { talkers = [], madeAt } = found?.data ?? {}
  const their = await store.getAll(talkers.map(({ account }) => accounts.ref(account)))
  return {
    ...(found && { day: found.ref.id, madeAt }),
    ...(newest && { newest: newest.ref.id }),
    items: talkers.map((talker, at) => {
      const { name, plan, status } = their[at]?.data ?? {}
      return { ...talker, ...(name !== undefined && { name, plan, status }) }
    }),
  }
}
