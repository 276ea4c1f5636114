/** The compliance report, as ptunctl and the console have it, and extracts of audit logs, as ptunctl has them. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { makeExtract, makeReport } from '../compliance/report.ts'
import type { Control } from '../control.ts'
import { type By, declareAct, recordAct } from './act.ts'

const dayMs = 24 * 3_600_000
/** A quarter of a year, which reviews of rights are usually made for. */
const usualMs = 90 * dayMs
const timeSchema = z.int().min(0)

export const complianceActs = {
  'compliance.report': declareAct(
    z.strictObject({ from: timeSchema.optional(), to: timeSchema.optional() }),
    async ({ control }, input, by) => readReport(control, by, input),
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

type SpanWish = { readonly from?: number | undefined; readonly to?: number | undefined }

/**
 * Makes the report, and records that somebody had it.
 * @param wish the span of audit entries in ms; default: the last 90 days
 * @param sealsMax seals that are walked; default: those of `makeReport`
 * @throws operator.input for a span that ends before it begins
 */
export async function readReport(control: Control, by: By, wish: SpanWish, sealsMax?: number) {
  const span = spanOf(control, wish)
  await recordAct(control, by, { action: 'compliance.read', target: 'report' })
  return makeReport(control, span, sealsMax)
}

function spanOf({ clock }: Control, { from, to = clock.now() }: SpanWish) {
  const span = { from: from ?? Math.max(0, to - usualMs), to }
  if (span.from > span.to) throw fail('operator.input', 'The span ends before it begins.')
  return span
}
