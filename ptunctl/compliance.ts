/** How ptunctl shows reports and extracts for auditors: a page to print, and lines as they are. */
import { complianceHtml } from '@porttunneler/shared/control/compliance/page'
import type { ComplianceReport } from '@porttunneler/shared/control/compliance/report'
import { z } from 'zod'
import { plansText } from './plans.ts'
import { resultText } from './show.ts'

const linesSchema = z.object({ lines: z.array(z.string()) })

/** Without what only says how it is shown. */
export function askReport(input: object): object {
  const { html: _, ...asked } = input as { readonly html?: boolean }
  return asked
}

/** @returns what makes the text of a result */
export function textOf(act: string, input: object): (result: unknown) => string {
  if (act === 'plans.show') return plansText
  if (act === 'compliance.report' && 'html' in input)
    return (result) => complianceHtml(result as ComplianceReport)
  if (act !== 'compliance.extract') return resultText
  return (result) => {
    const { lines } = linesSchema.parse(result)
    return lines.map((line) => `${line}\n`).join('')
  }
}
