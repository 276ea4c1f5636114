/**
 * The connections of a tunnel's visitors: as relays report those that have ended, as they show those that are open, and
 * as the API returns what is kept. docs/connections.md
 */
import { z } from 'zod'
import { idSchema, pageQuerySchema, timeSchema } from './common.ts'

/** The most in one report of one tunnel: its document then has some tens of KB at most. */
export const connectionsPerBatch = 400
/** The most that a relay keeps of one tunnel's minute; of more it keeps a fair sample, and counts them all. */
export const connectionsPerMinuteKept = 100
/** A report spans at most this; the reader relies on it to find all that ended at a given time. */
export const batchSpanMsMax = 20 * 60_000
/** However long the plan keeps its audit log: addresses are personal data. */
export const connectionDaysMax = 30

/** An address, or a network where addresses are shortened. */
const visitorSchema = z
  .string()
  .max(64)
  .regex(/^[0-9a-f.:/]+$/)
/** When it ended, ms after the report's `from`; how long it was open, ms; the visitor; bytes from and to it; code. */
export const endedRowSchema = z.tuple([
  z.int().min(0).max(batchSpanMsMax),
  z.int().min(0),
  visitorSchema,
  z.int().min(0),
  z.int().min(0),
  z.int().min(0).max(9_999),
])
export type EndedRow = z.infer<typeof endedRowSchema>

/** What a relay saw end at one tunnel. Repeated until it is acknowledged; the first that arrives counts. */
export const connectionBatchSchema = z.object({
  tunnel: idSchema('tun'),
  account: idSchema('acc'),
  /** Names the batch together with `number`. */
  boot: z.string().regex(/^[a-z0-9]{26}$/),
  number: z.int().min(0),
  from: timeSchema,
  /** How many ended, of which `rows` may be a sample. */
  counted: z.int().min(0),
  rows: z.array(endedRowSchema).max(connectionsPerBatch),
})
export type ConnectionBatch = z.infer<typeof connectionBatchSchema>

const connectionSchema = z.object({
  from: z.string().describe('Address of the visitor; a network (/24 or /48) where addresses are shortened'),
  startedAt: timeSchema,
  ms: z.int().describe('How long it was open, or has been'),
  in: z.int().describe('Bytes from the visitor'),
  out: z.int().describe('Bytes to the visitor'),
})
const endedSchema = connectionSchema.extend({
  endedAt: timeSchema,
  code: z.string().optional().describe('Why it ended, such as PT-3022; missing: it ended in order'),
  reason: z.string().describe('The same in words'),
})
export type EndedConnection = z.infer<typeof endedSchema>

export const connectionsQuerySchema = pageQuerySchema.extend({
  from: z.coerce.number().int().min(0).optional().describe('Only those that ended at or after, ms'),
  to: z.coerce.number().int().min(0).optional().describe('Only those that ended at or before, ms'),
  address: z
    .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])
    .optional()
    .describe('Only visitors from this address or network'),
  code: z
    .string()
    .regex(/^PT-\d{4}$/)
    .optional()
    .describe('Only those that ended for this reason'),
  failed: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .describe('true: only those that ended with a code; false: only those that ended in order'),
})
export type ConnectionsQuery = z.output<typeof connectionsQuerySchema>

export const connectionsSchema = z.object({
  keeps: z
    .enum(['off', 'whole', 'shortened'])
    .describe('What the policy of the tunnel (`keepConnections`) says now'),
  days: z.int().describe('How long they are kept'),
  items: z.array(endedSchema).describe('Those that ended last come first'),
  counted: z
    .int()
    .describe('How many ended within the reports that this page was read from, whatever the filter'),
  kept: z.int().describe('How many of them were kept: fewer than `counted` where relays kept a sample'),
  searchedTo: timeSchema.describe('The page has all that ended after this time and match'),
  next: z.string().optional().describe('Cursor of what ended before; a page may be empty and have one'),
})
export type ConnectionPage = z.infer<typeof connectionsSchema>

export const connectionsErasedSchema = z.object({
  more: z.boolean().describe('True: there were more than one call erases; call again'),
})

/** What a relay's `GET /v1/live/connections?tunnel=` returns to a reader with a watch ticket. */
export const liveConnectionsSchema = z.object({
  at: timeSchema,
  total: z.int().describe('How many are open at this relay'),
  open: z
    .array(connectionSchema.extend({ port: z.int().describe('Port of the visitor') }))
    .describe('The newest 200 of them, newest first'),
  ended: z
    .array(endedSchema)
    .describe(
      'Those that ended in the last minutes and are to be kept, newest first; the API has them later',
    ),
})
export type LiveConnections = z.infer<typeof liveConnectionsSchema>
