/** What operators ask for in the console: people, accounts, notes about both. */
import { z } from 'zod'
import { memberSchema } from './accounts.ts'
import { idSchema, pageQuerySchema, timeSchema } from './common.ts'

const leavingAtSchema = timeSchema.optional().describe('Its deletion can be undone until then')
const reasonSchema = z.string().trim().min(3).max(500).describe('It goes into the audit log')
const aboutSchema = z.string().regex(/^(usr|acc)_[0-9a-z]{26}$/)

export const peopleQuerySchema = pageQuerySchema.extend({
  who: z.string().trim().min(1).max(254).describe('The beginning of an e-mail address, or an id (usr_…)'),
})
export const operatorPersonSchema = z.object({
  id: idSchema('usr'),
  email: z.string(),
  emailVerified: z.boolean(),
  status: z.enum(['active', 'disabled']),
  leavingAt: leavingAtSchema,
  accounts: z.array(z.string()),
})
export const operatorAccountSchema = z.object({
  id: idSchema('acc'),
  name: z.string(),
  plan: z.string(),
  status: z.enum(['active', 'suspended', 'closed']),
  createdAt: timeSchema,
  leavingAt: leavingAtSchema,
  members: z.array(memberSchema),
})
export const operatorAccountParamsSchema = z.object({ account: idSchema('acc') })
export const operatorPersonParamsSchema = z.object({ person: idSchema('usr') })
export const operatorReasonSchema = z.strictObject({ reason: reasonSchema })

export const notesQuerySchema = z.object({ about: aboutSchema })
export const noteAddSchema = z.strictObject({ about: aboutSchema, text: z.string().trim().min(1).max(2_000) })
export const noteParamsSchema = z.object({ note: idSchema('not') })
export const notesSchema = z.object({
  items: z.array(z.object({ id: idSchema('not'), text: z.string(), by: z.string(), at: timeSchema })),
})
