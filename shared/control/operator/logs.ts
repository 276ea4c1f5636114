/** `ptunctl logs`: lines of every program, the newest first. */
import { z } from 'zod'
import { logQueryMax } from '../../api/schemas/operator-logs.ts'
import { noteSearch, searchLogs } from '../logs/searching.ts'
import { declareAct } from './act.ts'

const wishSchema = z.object({
  query: z.string().max(logQueryMax).default(''),
  limit: z.int().min(1).max(1_000).default(100),
  /** Nothing that was written before, ms. */
  from: z.int().min(0).optional(),
  /** A repetition while following, which the first one has noted. */
  again: z.boolean().default(false),
})

export const logActs = {
  'logs.search': declareAct(wishSchema, async ({ control }, { again, ...wish }, by) => {
    const page = await searchLogs(control, wish)
    if (!again) await noteSearch(control, by, wish.query)
    return page.lines
  }),
}
