/** The audit log as an operator reads it, and the walk over its seals. */
import { z } from 'zod'
import { describeEntry, listAudit } from '../audit/reading.ts'
import { verifyAudit } from '../audit/verify.ts'
import { controlOf } from '../control.ts'
import { declareAct } from './act.ts'

/** What one order walks: some seconds of full seals. Whoever orders goes on from there. */
export const sealsPerOrder = 500

const wordSchema = z.string().min(1).max(128)
const timeSchema = z.int().min(0)
const listSchema = z
  .strictObject({
    /** '' = what concerns no account. */
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
  /** Hashes of seals as a log outside has them, of those that this order walks. */
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
