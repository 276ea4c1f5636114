/** The documents of the operator's work, beside those of documents.ts and by the same rules. */
import { globalCollection } from '../names.ts'

/** Id: user. A person who may act as an operator through the service. */
export type OperatorDoc = { readonly state: 'active'; readonly since: number; readonly by: string }

/** What operators noted about a person or an account; it is exported with their data, and erased with them. */
export type NoteDoc = {
  /** `usr_…` or `acc_…`. */
  readonly about: string
  readonly text: string
  readonly by: string
  readonly at: number
}

export const operators = globalCollection<OperatorDoc>('operators')
export const notes = globalCollection<NoteDoc>('operatorNotes')
