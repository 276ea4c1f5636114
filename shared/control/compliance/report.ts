/**
 * What an auditor asks for, from what is stored: who has rights, what was done in a span with its seals, what is kept
 * where and how long, who else gets data, what went, what is on hold. ptunctl and the console show it as JSON or as a
 * page to print.
 */
import { linesOf } from '../audit/export.ts'
import { describeEntry } from '../audit/reading.ts'
import { verifyAudit } from '../audit/verify.ts'
import type { Control } from '../control.ts'
import { all } from '../own-data/parts.ts'
import { queries } from '../query-table.ts'
import { readGone } from '../retention/gone.ts'
import { listHolds } from '../retention/holds.ts'
import { files, terms } from '../retention/terms.ts'
import { reviewAccess } from './access-review.ts'
import { subProcessors } from './sub-processors.ts'

export type Span = { readonly from: number; readonly to: number }
/** Entries of the service in a report; an extract has all. */
const entriesMax = 500
/** A batch of proofs: the documents of their seals are in memory together. */
const proofsAtOnce = 100
/** A report walks the first so many seals: each names the one before it, so the walk begins at the first. */
const sealsMaxDefault = 2_000

export type ComplianceReport = Awaited<ReturnType<typeof makeReport>>

/**
 * @param span of the service's own audit entries, inclusive, ms
 * @param sealsMax seals that are walked, two reads each; default: 2,000
 */
export async function makeReport(control: Control, span: Span, sealsMax = sealsMaxDefault) {
  const { store, clock, settings } = control
  const nowMs = clock.now()
  const entries: ReturnType<typeof describeEntry>[] = []
  let isPart = false
  for await (const found of all(control, queries.auditOfAccount, { where: { account: '' }, ...span })) {
    isPart = entries.length >= entriesMax
    if (isPart) break
    entries.push(describeEntry(found))
  }
  const { problems, isPart: isSealsPart, ...seals } = await verifyAudit(store, { nowMs, sealsMax })
  return {
    format: 'porttunneler-compliance-1',
    service: settings.consoleUrl,
    version: settings.version,
    at: nowMs,
    span,
    access: await reviewAccess(control),
    audit: {
      entries,
      isPart,
      seals: { ...seals, isPart: isSealsPart, problems: [...problems] },
      checkedBy: 'ptunctl compliance extract > extract.ndjson, then ptunctl audit check extract.ndjson',
    },
    dataMap: [...Object.entries(terms).map(([name, term]) => ({ name, ...term })), ...files],
    subProcessors: [...subProcessors(control)],
    holds: await listHolds(control),
    gone: await readGone(control),
  }
}

/**
 * Entries of one account with their proofs, as the lines that `ptunctl audit check` reads without any server.
 * @param account '' = the service itself
 */
export async function makeExtract(
  control: Control,
  { account, from, to }: Span & { readonly account: string },
): Promise<readonly string[]> {
  const { store } = control
  const lines: object[] = []
  let batch: Parameters<typeof linesOf>[1][number][] = []
  const settle = async () => {
    lines.push(...(await linesOf(store, batch)))
    batch = []
  }
  for await (const found of all(control, queries.auditOfAccount, { where: { account }, from, to })) {
    batch.push(found)
    if (batch.length >= proofsAtOnce) await settle()
  }
  await settle()
  return [...lines, { account, from, to, entries: lines.length }].map((line) => JSON.stringify(line))
}
