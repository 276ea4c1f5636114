/** What operators find in the log of all programs. */
import { z } from 'zod'
import { logLevels } from '../../base/log.ts'
import { pageQuerySchema, timeSchema } from './common.ts'

/** Characters of a search. */
export const logQueryMax = 500

export const logsQuerySchema = pageQuerySchema.extend({
  query: z
    .string()
    .max(logQueryMax)
    .default('')
    .describe(
      'Words and fields that a line has to have: code:PT-5108, request:ID, relay:r1, account:acc_…, source:control, ' +
        'level>=warn, since:2h, until:2026-01-31T12:00Z',
    ),
  from: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe(
      'Nothing that was written before: milliseconds since the epoch. To follow, ask again from the newest line',
    ),
  // Positions at Cloud Logging are long.
  cursor: z
    .string()
    .max(4_000)
    .regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/, 'what `next` of the page before says')
    .optional(),
})

export const logLineSchema = z.object({
  id: z.string().describe('The same each time the line is found'),
  at: timeSchema,
  level: z.enum(logLevels),
  source: z.string().describe('The program: control, relay, demo-agent, or a function'),
  relay: z.string().optional(),
  message: z.string(),
  code: z.string().optional(),
  request: z.string().optional().describe('The id that the answer to the request had'),
  account: z.string().optional(),
  fields: z.record(z.string(), z.unknown()).describe('What else it says, without secrets'),
})
