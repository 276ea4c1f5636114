/** Which mails a person gets, and those that a server without a mail server keeps for its operators. */
import { z } from 'zod'
import { timeSchema } from './common.ts'

const mailIdSchema = z.string().regex(/^[0-9TZ.-]{24}-[0-9a-f]{8}$/)
export const keptMailParamsSchema = z.object({ mail: mailIdSchema })
const keptMailSchema = z.object({ id: mailIdSchema, at: timeSchema, to: z.string(), subject: z.string() })
export const keptMailsSchema = z.object({ items: z.array(keptMailSchema) })
export const keptMailBodySchema = keptMailSchema.extend({ text: z.string(), html: z.string().optional() })

export const mailWishesSchema = z.object({
  items: z.array(
    z.object({
      purpose: z.string(),
      about: z.string().describe('Completes "mails about ..."'),
      essential: z.boolean().describe('These cannot be turned off'),
      off: z.boolean(),
    }),
  ),
  refused: z
    .boolean()
    .describe('A mail server said that nobody has the address: it gets only what is asked for'),
})
export type MailWishes = z.infer<typeof mailWishesSchema>
export const mailWishParamsSchema = z.object({ purpose: z.string().regex(/^[a-z]{1,20}$/) })
export const mailWishSchema = z.strictObject({ off: z.boolean() })
