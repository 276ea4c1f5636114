/** The change of a person's address. */
import { z } from 'zod'
import { emailSchema } from './accounts.ts'
import { timeSchema } from './common.ts'

export const addressChangeRequestSchema = z.strictObject({ email: emailSchema })
export const addressChangeTokenSchema = z.strictObject({
  token: z.string().max(200).describe('From the mailed link'),
})
export const addressChangeSchema = z.object({
  open: z
    .object({
      from: z.string(),
      to: z.string(),
      oldConfirmed: z.boolean(),
      newConfirmed: z.boolean(),
      expiresAt: timeSchema,
    })
    .optional()
    .describe('Absent when no change is open'),
})
export const addressConfirmedSchema = z.object({
  changed: z.boolean().describe('false: the other mailbox has not confirmed yet'),
})
