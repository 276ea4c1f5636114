/** What a person's document has about the operator's documents. */
import type { Acceptance } from '../../api/schemas/terms.ts'

/** The newest last; empty = the person is new and was to be asked. A document without it: nobody asked then. */
export type AcceptedTerms = readonly Acceptance[]

/** Stands in the document of a new person, whom nobody has asked yet: everything is due at once. */
export const nothingAccepted: AcceptedTerms = []
