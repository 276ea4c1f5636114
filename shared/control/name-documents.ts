/** The documents of names; those of everything else are in documents.ts. */
import { sharedCollection } from './names.ts'

/** Id: host. It leads to a tunnel, or rests: relays may still know it as its last tunnel's. */
export type NameDoc = {
  readonly account: string
  readonly tunnel: string
  readonly state: 'active' | 'resting'
  /** Of a resting one: the cells whose relays may know it. */
  readonly cells: readonly string[]
  /** Rises with every change, and with the clock: relays keep the highest. */
  readonly version: number
  /** No ticket that lists it is younger. */
  readonly ticketsUntil: number
  readonly removedAt: number
  /** Of a resting one. */
  readonly ttl?: Date
}

/** Shared: a host passes from an account to another. */
export const names = sharedCollection<NameDoc>('names')
