/** The documents of the operator's work, beside those of documents.ts and by the same rules. */
import { globalCollection } from '../names.ts'

/** Id: user. A person who may act as an operator through the service. */
export type OperatorDoc = { readonly state: 'active'; readonly since: number; readonly by: string }

export const operators = globalCollection<OperatorDoc>('operators')
