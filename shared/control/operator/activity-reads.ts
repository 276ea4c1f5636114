/** Reads how accounts come and stay, for the operator's page, from one small document a day. */
import type { Control } from '../control.ts'
import { queries } from '../query-table.ts'
import { cohortWeeks, textOf } from './activity.ts'
import type { ActivityDayDoc, CohortFigures } from './figure-documents.ts'

const dayMs = 24 * 3_600_000
const daysMax = cohortWeeks * 7

export async function readActivity({ store }: Pick<Control, 'store'>) {
  const { items } = await store.query(queries.activityDaysByTime, { where: {}, limit: daysMax })
  const days = items.map(({ data }) => data)
  const newest = days[0]
  const byDay = new Map(days.map((one) => [textOf(one.day), one]))
  return {
    ...(newest && { madeAt: newest.madeAt }),
    days: days
      .map(({ day, accounts, active: { day: active, week, month } }) => ({
        ...{ day: textOf(day), accounts, active, week, month },
      }))
      .toReversed(),
    cohorts: Object.entries(newest?.cohorts ?? {})
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([week, { active: _, ...funnel }]) => ({ week, ...funnel, weeks: weeksOf(week, byDay) })),
  }
}

/** How many were active in each whole week since they came; -1 where no figures were made on its last day. */
function weeksOf(week: string, byDay: ReadonlyMap<string, ActivityDayDoc>): readonly number[] {
  const newest = [...byDay.keys()].reduce((a, b) => (a > b ? a : b))
  const weeks: number[] = []
  for (let at = 0; at < cohortWeeks; at++) {
    const sunday = textOf(Date.parse(`${week}T00:00:00Z`) + (7 * at + 6) * dayMs)
    if (sunday > newest) break
    const cohort: CohortFigures | undefined = byDay.get(sunday)?.cohorts[week]
    weeks.push(cohort?.active ?? -1)
  }
  return weeks
}
