/** Recovery codes come with the first factor, so that nobody has one without a way back. */
import type { FactorsNow } from './changing.ts'
import type { FactorsDoc } from './factor-documents.ts'
import { type NewCodes, newCodes } from './recovery-codes.ts'

/** For a change that may run several times: the codes that are shown are those of the last run. */
export function withFirstCodes(): {
  of(now: FactorsNow, nowMs: number): FactorsDoc
  shown(): readonly string[]
} {
  let made: NewCodes | undefined
  return {
    of({ doc }, nowMs) {
      made = doc.codes.length > 0 ? undefined : newCodes()
      return made ? { ...doc, codes: made.hashes, codesAt: nowMs } : doc
    },
    shown: () => made?.codes ?? [],
  }
}
