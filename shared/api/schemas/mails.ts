/** Mails that a server without a mail server keeps for its operators. */
import { z } from 'zod'
import { timeSchema } from './common.ts'

const mailIdSchema = z.string().regex(/^[0-9TZ.-]{24}-[0-9a-f]{8}$/)
export const keptMailParamsSchema = z.object({ mail: mailIdSchema })
const keptMailSchema = z.object({ id: mailIdSchema, at: timeSchema, to: z.string(), subject: z.string() })
export const keptMailsSchema = z.object({ items: z.array(keptMailSchema) })
export const keptMailBodySchema = keptMailSchema.extend({ text: z.string(), html: z.string().optional() })
