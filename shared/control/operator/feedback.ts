/** What people told the operator, newest first. */
import { z } from 'zod'
import { queries } from '../query-table.ts'
import { declareAct } from './act.ts'

export const feedbackActs = {
  'feedback.list': declareAct(
    z.strictObject({ limit: z.int().min(1).max(500).default(50) }),
    async ({ control }, { limit }) => {
      const { items } = await control.store.query(queries.feedbackByTime, { where: {}, limit })
      return items.map(({ data: { at, account, actor, text, attached } }) => ({
        at,
        account,
        actor,
        text,
        attached: Object.entries(attached).map(([fact, value]) => `${fact} ${value}`),
      }))
    },
  ),
}
