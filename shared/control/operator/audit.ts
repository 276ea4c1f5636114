/** The operator's view of the audit log, and the walk over its seals. */
import { z } from 'zod'
import { describeEntry, listAudit } from '../audit/reading.ts'
import { verifyAudit } from '../audit/verify.ts'
import { controlOf } from '../control.ts'
import { declareAct } from './act.ts'

/** How many seals one order walks: some seconds with full seals. The caller continues from there. */
export const sealsPerOrder = 500

const wordSchema = z.string().min(1).max(128)
const timeSchema = z.int().min(0)
const listSchema = z
  .strictObject({
    /** '' = entries that concern no account. */
    account: z.string().max(64).default(''),
    action: wordSchema.optional(),
    actor: wordSchema.optional(),
    target: wordSchema.optional(),
    from: timeSchema.optional(),
    to: timeSchema.optional(),
    limit: z.int().min(1).max(500).default(100),
  })
  .refine(({ action, actor, target }) => [action, actor, target].filter(Boolean).length <= 1, {
    message: 'give one of action, actor and target, not several',
  })

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/)
const verifySchema = z.strictObject({
  after: z.strictObject({ seals: z.int().min(0), hash: hashSchema.or(z.literal('')) }).optional(),
  /** Hashes from an outside log, for the seals that this order walks. */
  noted: z
    .array(z.tuple([z.int().min(1), hashSchema]))
    .max(sealsPerOrder)
    .default([]),
})

export const auditActs = {
  'audit.list': declareAct(listSchema, async ({ control }, { account, limit, ...filter }) => {
    const { items } = await listAudit(controlOf(control, account), filter, { limit })
    return items.map(describeEntry)
  }),
  'audit.verify': declareAct(verifySchema, ({ control }, { after, noted }) =>
    verifyAudit(control.store, {
      nowMs: control.clock.now(),
      sealsMax: sealsPerOrder,
      noted: new Map(noted),
      ...(after && { after }),
    }),
  ),
}
