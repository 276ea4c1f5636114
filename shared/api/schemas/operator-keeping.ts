/** What operators ask for about what is kept: terms, what went, legal holds, and the report for auditors. */
import { z } from 'zod'
import { timeSchema } from './common.ts'

const count = z.int().min(0)
const reasonSchema = z.string().trim().min(3).max(500).describe('It goes into the audit log')

const termSchema = z.object({
  name: z.string().describe('The collection, or the kind of file'),
  whose: z.enum(['person', 'account', 'both', 'service']),
  what: z.string(),
  kept: z.string().describe('How long'),
  why: z.string(),
  endsBy: z
    .enum(['ttl', 'erasure', 'use', 'job', 'never'])
    .describe('`ttl`: the store, when its time has come; `use`: whoever uses or changes it'),
  isHeld: z.boolean().describe('A legal hold keeps it beyond its time'),
})
const goneSchema = z.object({
  month: z.string().describe('YYYY-MM, UTC'),
  collections: z.array(z.object({ collection: z.string(), count })).describe('The most first'),
})
export const retentionSchema = z.object({
  kept: z.array(termSchema).describe('Collections, then files'),
  gone: z
    .array(goneSchema)
    .describe('Deleted because its time was over, or with an erasure; the newest month first, 36 at most'),
})

const holdSchema = z.object({
  about: z.string().describe('An account or a person, by id'),
  state: z.enum(['on', 'ending']).describe('`ending`: what was held gets its time back within an hour'),
  reason: z.string(),
  by: z.string().describe('Who placed it'),
  since: timeSchema,
  until: timeSchema.describe('When it ends by itself'),
  erasureWaitsAt: timeSchema.optional().describe('Since when an erasure waits for its end'),
})
export const holdsSchema = z.object({ items: z.array(holdSchema).describe('The newest first') })
export const holdPlaceSchema = z.strictObject({
  about: z
    .string()
    .trim()
    .min(1)
    .max(254)
    .describe("An account's id, or a person's id or e-mail address; one that is on hold gets this end"),
  until: timeSchema.describe('When it ends by itself, within ten years'),
  reason: reasonSchema,
})
export const holdParamsSchema = z.object({
  held: z.string().regex(/^(?:acc|usr)_[0-9a-z]{26}$/, 'an id of the form acc_… or usr_…'),
})
export const holdReleaseSchema = z.strictObject({ reason: reasonSchema })

const spanTimeSchema = z.coerce.number().int().min(0).optional()
export const complianceQuerySchema = z.object({
  from: spanTimeSchema.describe('Milliseconds since the epoch, inclusive; default: 90 days before `to`'),
  to: spanTimeSchema.describe('Milliseconds since the epoch, inclusive; default: now'),
})

/** 500 rows at most, and how many there are. */
const rowsOf = <T extends z.ZodType>(row: T) => z.object({ count, rows: z.array(row) })
const isPart = z.boolean().describe('There is more than was looked at')

const accessSchema = z.object({
  accounts: count.describe('How many were walked, 1,000 at most'),
  isPart,
  operators: z.array(
    z.object({
      user: z.string(),
      email: z.string(),
      since: timeSchema,
      by: z.string(),
      hasSecondFactor: z.boolean(),
    }),
  ),
  roles: z.record(z.string(), count).describe('Members by role'),
  peopleWithoutFactor: rowsOf(z.object({ person: z.string(), account: z.string(), role: z.string() })),
  unusedKeys: rowsOf(
    z.object({ account: z.string(), key: z.string(), name: z.string(), lastUsedDay: z.string() }),
  ).describe('For 90 days'),
  staleSignIns: rowsOf(z.object({ person: z.string(), device: z.string(), usedAt: timeSchema })).describe(
    'For 14 days',
  ),
})
const auditSchema = z.object({
  entries: z
    .array(
      z.object({
        id: z.string(),
        at: timeSchema,
        actor: z.string(),
        action: z.string(),
        target: z.string(),
        from: z.string(),
        userAgent: z.string().optional(),
        details: z.record(z.string(), z.unknown()),
        seal: z.int(),
      }),
    )
    .describe("The service's own entries of the span, the newest first, 500 at most"),
  isPart,
  seals: z.object({
    seals: count.describe('How many were walked, from the first'),
    intact: count,
    gone: count.describe('Entries that retention or erasure has taken'),
    goneEarly: count,
    hash: z.string().describe('Of the last seal that was walked'),
    isPart,
    problems: z.array(z.string()).describe('What was changed; empty = nothing'),
  }),
  checkedBy: z.string(),
})
export const complianceReportSchema = z.object({
  format: z.string(),
  service: z.string(),
  version: z.string(),
  at: timeSchema,
  span: z.object({ from: timeSchema, to: timeSchema }),
  access: accessSchema,
  audit: auditSchema,
  dataMap: z.array(termSchema),
  subProcessors: z.array(z.object({ name: z.string(), what: z.string(), why: z.string() })),
  holds: z.array(holdSchema),
  gone: z.array(goneSchema),
})
