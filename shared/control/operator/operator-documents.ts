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

/** Id: the operator. The view of an account that they have now; a new one takes its place. */
export type ViewDoc = {
  /** `viw_…`; requests name it, so that an old tab never shows another account. */
  readonly view: string
  /** The sign-in that began it, and alone may use it; '' for a token that names none. */
  readonly signIn: string
  readonly account: string
  /** The member through whose eyes it looks; '' = an owner's, without being anybody. */
  readonly person: string
  readonly startedAt: number
  readonly endsAt: number
  /** How often each route was read, by the name of its operation. */
  readonly reads: { readonly [operation: string]: number }
}

export const operators = globalCollection<OperatorDoc>('operators')
export const notes = globalCollection<NoteDoc>('operatorNotes')
export const views = globalCollection<ViewDoc>('operatorViews')
