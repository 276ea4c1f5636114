/** The compliance report and extracts of audit logs, as ptunctl has them. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { makeExtract, makeReport } from '../compliance/report.ts'
import type { Control } from '../control.ts'
import { declareAct, recordAct } from './act.ts'

const dayMs = 24 * 3_600_000
/** A quarter of a year, which reviews of rights are usually made for. */
const usualMs = 90 * dayMs
const timeSchema = z.int().min(0)

export const complianceActs = {
  'compliance.report': declareAct(
    z.strictObject({ from: timeSchema.optional(), to: timeSchema.optional() }),
    async ({ control }, input, by) => {
      const span = spanOf(control, input)
      await recordAct(control, by, { action: 'compliance.read', target: 'report' })
      return makeReport(control, span)
    },
  ),
  'compliance.extract': declareAct(
    z.strictObject({
      account: z.string().max(64).default(''),
      from: timeSchema.optional(),
      to: timeSchema.optional(),
    }),
    async ({ control }, { account, ...input }, by) => {
      const span = spanOf(control, input)
      await recordAct(control, by, { account, action: 'compliance.read', target: 'extract' })
      return { lines: await makeExtract(control, { account, ...span }) }
    },
  ),
}

/** @throws operator.input for a span that ends before it begins */
function spanOf(
  { clock }: Control,
  { from, to = clock.now() }: { from?: number | undefined; to?: number | undefined },
) {
  const span = { from: from ?? Math.max(0, to - usualMs), to }
  if (span.from > span.to) throw fail('operator.input', 'The span ends before it begins.')
  return span
}
