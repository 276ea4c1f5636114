/** The connections of a tunnel that its owner wants kept: one document for each report of a relay. */
import { collection } from '../names.ts'

/** Id: `<tunnel>:<boot>:<number>`. Written once. */
export type ConnectionsDoc = {
  readonly account: string
  readonly tunnel: string
  /** The first and the last end in it; less than `batchSpanMsMax` apart. */
  readonly from: number
  readonly until: number
  /** How many ended, of which `kept` are in `packed`. */
  readonly counted: number
  readonly kept: number
  /** The rows, as packing.ts says. */
  readonly packed: string
  readonly ttl: Date
}

export const connections = collection<ConnectionsDoc>('connections')
