/** What a tunnel or an account has carried over time, for charts. */
import { z } from 'zod'
import { timeBuckets } from '../../base/latency.ts'
import { idSchema, timeSchema } from './common.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** The steps that a chart may have, ms, finest first. */
export const historySteps = [minuteMs, 5 * minuteMs, 15 * minuteMs, hourMs, 6 * hourMs, 24 * hourMs] as const
/** An answer never has more: about a point for each pixel of a chart. */
export const historyPointsMax = 1_000

export const historyQuerySchema = z.object({
  tunnel: idSchema('tun').optional().describe('Default: the whole account'),
  from: z.coerce.number().int().min(0).optional().describe('ms; default: 24 hours before `to`'),
  to: z.coerce.number().int().min(0).optional().describe('ms; default: now'),
  step: z.coerce
    .number()
    .refine((step) => (historySteps as readonly number[]).includes(step), {
      message: `one of ${historySteps.join(', ')}`,
    })
    .optional()
    .describe('ms of a point; default: the finest with which the span has no more than 1,000'),
})

const resultShape = {
  in: z.int().describe('Bytes from visitors'),
  out: z.int().describe('Bytes to visitors'),
  opened: z.int(),
  refused: z.int(),
  open: z
    .int()
    .optional()
    .describe(
      'The most visitors that were open at a time, from an hour on of each relay; omitted when nobody knows',
    ),
  answers: z
    .object({
      upgraded: z.int().describe('101, such as WebSockets'),
      successful: z.int().describe('2xx'),
      redirected: z.int().describe('3xx'),
      clientError: z.int().describe('4xx'),
      serverError: z.int().describe('5xx'),
      unanswered: z.int().describe('Upstream failures'),
    })
    .optional()
    .describe('How requests to http tunnels were answered; omitted when there were none'),
  latency: z
    .object({
      p50: z.number(),
      p95: z.number(),
      p99: z.number(),
      counts: z
        .array(z.int())
        .max(timeBuckets)
        .describe('By half octaves from 1 ms on, without zeros at the end: counts of several points add up'),
    })
    .optional()
    .describe('How many ms answers took to begin; percentiles are off by a fifth at most'),
  codes: z
    .record(z.string(), z.int())
    .optional()
    .describe('How many visitors met a status from 400 on, or one of our codes instead of an answer'),
}
export const historySchema = z.object({
  from: timeSchema,
  to: timeSchema,
  step: z.int().describe('ms of a point'),
  known: z
    .object({ from: timeSchema, to: timeSchema })
    .describe(
      'Within it, points that are missing are zero; outside, nobody knows. The last quarter of an hour comes later',
    ),
  points: z.array(z.object({ at: timeSchema.describe('First ms of the step, UTC'), ...resultShape })),
  total: z.object(resultShape),
  relayStarts: z
    .array(timeSchema)
    .describe(
      'When relays that have carried something of it began in the span; only with steps below an hour',
    ),
  relayUpdates: z
    .array(z.object({ at: timeSchema, version: z.string(), before: z.string() }))
    .describe('When relays of its cell began with another version in the span; only for a tunnel'),
})
export type HistoryAnswer = z.infer<typeof historySchema>
