/** The audit verbs that are more than one act: the walk over all seals, and the check of an export. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fail } from '@porttunneler/shared/base/errors'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { checkExport, type ExportReport } from '@porttunneler/shared/control/audit/export-check'
import type { AuditReport } from '@porttunneler/shared/control/audit/verify'
import type { ActName } from '@porttunneler/shared/control/operator/acts'
import { sealsPerOrder } from '@porttunneler/shared/control/operator/audit'
import { z } from 'zod'

export type SendOrder = (act: ActName, input: object) => Promise<unknown>

const reportSchema: z.ZodType<AuditReport> = z.object({
  seals: z.int(),
  intact: z.int(),
  gone: z.int(),
  goneEarly: z.int(),
  hash: z.string(),
  isPart: z.boolean(),
  problems: z.array(z.string()),
})
const notedSchema = z.looseObject({ noted: z.string().optional() })

/** Continues until all seals are walked, or until there are more problems than a person reads. */
export async function verifyAll(order: SendOrder, input: object): Promise<Omit<AuditReport, 'isPart'>> {
  const noted = await readNoted(notedSchema.parse(input).noted)
  let sum: AuditReport = {
    seals: 0,
    intact: 0,
    gone: 0,
    goneEarly: 0,
    hash: '',
    isPart: true,
    problems: [],
  }
  while (sum.isPart && sum.problems.length === 0) {
    const { seals, hash } = sum
    const here = [...noted].filter(([number]) => number > seals && number <= seals + sealsPerOrder)
    const step = reportSchema.parse(await order('audit.verify', { after: { seals, hash }, noted: here }))
    sum = {
      ...step,
      intact: sum.intact + step.intact,
      gone: sum.gone + step.gone,
      goneEarly: sum.goneEarly + step.goneEarly,
    }
  }
  const { isPart, ...report } = sum
  const last = Math.max(0, ...noted.keys())
  const beyond = `seal ${last} was noted, but the last one here is ${report.seals}`
  const isCut = !isPart && last > report.seals && !report.problems.includes(beyond)
  return isCut ? { ...report, problems: [...report.problems, beyond] } : report
}

export async function checkFile(input: object): Promise<ExportReport> {
  const { file, noted } = notedSchema.extend({ file: z.string() }).parse(input)
  return checkExport(linesOf(file), await readNoted(noted))
}

/** A result with problems ends with 1, for scripts. */
export function hasProblems(result: unknown): boolean {
  const parsed = z.looseObject({ problems: z.array(z.string()).min(1) }).safeParse(result)
  return parsed.success
}

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const logLineSchema = z.object({ seal: z.int().min(1), hash })

/**
 * Hashes by seal number, from a log as it is written on one machine or exported from Google's, or from lines with
 * number and hash. Other lines of a log are skipped.
 */
async function readNoted(file: string | undefined): Promise<ReadonlyMap<number, string>> {
  const noted = new Map<number, string>()
  if (file === undefined) return noted
  for await (const text of linesOf(file)) {
    const [, number, plain] = /^(\d{1,9})\s+([0-9a-f]{64})$/.exec(text.trim()) ?? []
    const found = number === undefined ? parseLog(text) : { seal: Number(number), hash: plain ?? '' }
    if (found) noted.set(found.seal, found.hash)
  }
  if (noted.size === 0) throw fail('operator.usage', `${file} names no seal with its hash.`)
  return noted
}

function parseLog(text: string): z.infer<typeof logLineSchema> | undefined {
  try {
    const line = z
      .looseObject({ jsonPayload: z.unknown() })
      .parse({ jsonPayload: undefined, ...JSON.parse(text) })
    return logLineSchema.parse(line.jsonPayload ?? line)
  } catch {
    return undefined
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const stream = createReadStream(file, 'utf8')
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity })
  } catch (cause) {
    throw fail('operator.usage', `${file} cannot be read${sayFileError(cause)}`, { cause })
  } finally {
    stream.destroy()
  }
}
