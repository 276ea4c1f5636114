/** What a person's document has about the operator's documents. */
import type { Acceptance } from '../../api/schemas/terms.ts'

export type TermsMarks = {
  /** What they accepted, the newest last; empty = they are new and were to be asked; absent: nobody asked then. */
  readonly terms?: readonly Acceptance[]
}

/** Stands in the document of a new person, whom nobody has asked yet: everything is due at once. */
export const nothingAccepted: readonly Acceptance[] = []
