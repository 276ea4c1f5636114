/** A change of a person's address that both mailboxes have not confirmed yet. */
import { globalCollection } from '../names.ts'

/** Id: user, so that a newer change takes the place of an earlier one. */
export type AddressChangeDoc = {
  readonly from: string
  readonly to: string
  /** SHA-256 of the secrets in the two links. */
  readonly fromSecret: string
  readonly toSecret: string
  /** When each mailbox confirmed it; 0 = not yet. */
  readonly fromAt: number
  readonly toAt: number
  readonly createdAt: number
  readonly expiresAt: number
  readonly ttl: Date
}

export const addressChanges = globalCollection<AddressChangeDoc>('addressChanges')
