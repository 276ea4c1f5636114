/** The documents of names; documents.ts has all others. */
import { byHost, sharedCollection } from './names.ts'

/** Id: host. It leads to a tunnel, or it rests because relays may still know it as its last tunnel's. */
export type NameDoc = {
  readonly account: string
  readonly tunnel: string
  readonly state: 'active' | 'resting'
  /** For a resting name: the cells whose relays may know it. */
  readonly cells: readonly string[]
  /** Rises with every change, and with the clock: relays keep the highest. */
  readonly version: number
  /** No ticket that lists it lives longer. */
  readonly ticketsUntil: number
  readonly removedAt: number
  /** Set for a resting name. */
  readonly ttl?: Date
}

/** Shared: a host can pass from one account to another. */
export const names = byHost(sharedCollection<NameDoc>('names'))
