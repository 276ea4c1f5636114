/** The audit log as the API shows it, and the proof that an entry was sealed. */
import { z } from 'zod'
import { idSchema, pageQuerySchema, timeSchema } from './common.ts'

export const auditEntrySchema = z.object({
  id: idSchema('aud'),
  at: timeSchema,
  actor: z.string().describe('Id of a person, a key, an agent or a service member, or "system"'),
  action: z.string().describe('What was done, such as key.created'),
  target: z.string().describe('What it was done to'),
  from: z.string().describe('Address that the request came from; empty when it came from the service itself'),
  userAgent: z.string().optional().describe('What the calling program says it is'),
  details: z.record(z.string(), z.unknown()),
  seal: z.int().describe('Number of the seal that covers the entry; 0 in its first minute'),
})

const wordSchema = z.string().min(1).max(128)
export const auditFilterSchema = z.object({
  from: z.coerce.number().int().min(0).optional().describe('Milliseconds since the epoch, inclusive'),
  to: z.coerce.number().int().min(0).optional().describe('Milliseconds since the epoch, inclusive'),
  action: wordSchema.optional(),
  actor: wordSchema.optional(),
  target: wordSchema.optional(),
})
export const auditQuerySchema = pageQuerySchema
  .extend(auditFilterSchema.shape)
  .refine(({ action, actor, target }) => [action, actor, target].filter(Boolean).length <= 1, {
    message: 'give one of action, actor and target, not several',
  })

export const auditParamsSchema = z.object({ audit: idSchema('aud') })

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/)
export const auditProofSchema = z.object({
  id: idSchema('aud'),
  entry: z
    .object({ salt: z.string(), body: z.string() })
    .describe('The leaf of the entry is SHA-256(salt || body)'),
  path: z
    .array(z.object({ side: z.enum(['left', 'right']), hash: hashSchema }))
    .describe('Hashes beside the way from SHA-256(0x00 || id || ":" || leaf) up to the root'),
  seal: z.object({
    number: z.int(),
    prev: z.string().describe('Hash of the seal before; empty for the first'),
    root: hashSchema,
    count: z.int(),
    at: timeSchema,
  }),
  hash: hashSchema.describe('Hash of the seal, which the next seal names'),
})

export const exportRequestSchema = z.strictObject({
  from: z.int().min(0).default(0).describe('Milliseconds since the epoch, inclusive'),
  to: z.int().min(0).optional().describe('The same; without it: now'),
})
export const exportSchema = z.object({
  state: z.enum(['writing', 'ready']),
  from: timeSchema,
  to: timeSchema,
  createdAt: timeSchema,
  expiresAt: timeSchema.describe('Its parts can be downloaded until then'),
  parts: z.int().describe('How many there are; 0 until it is ready'),
  entries: z.int().describe('In all parts; 0 until it is ready'),
})
export const exportPartParamsSchema = z.object({ part: z.coerce.number().int().min(1).max(1_000_000) })
