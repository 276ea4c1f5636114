/** The documents of invitations, beside those of documents.ts and by the same rules. */
import { createHash } from 'node:crypto'
import type { Role } from '../../api/schemas/access.ts'
import { normaliseEmail } from '../mail/addresses.ts'
import { collection } from '../names.ts'
import type { Ref } from '../platform.ts'

/** Id: `invitationId`, so there is one at most for an account and an address. */
export type InvitationDoc = {
  readonly account: string
  /** In small letters, as users have it. */
  readonly email: string
  readonly role: Role
  /** Who invited: the invitation counts only while they may. */
  readonly by: string
  /** SHA-256 of the secret in the mailed link. */
  readonly secret: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly ttl: Date
}

export const invitations = collection<InvitationDoc>('invitations')

export function invitationRef(account: string, email: string): Ref<InvitationDoc> {
  const digest = createHash('sha256')
    .update(`${account}:${normaliseEmail(email)}`)
    .digest('hex')
  return invitations.ref(`tin_${digest.slice(0, 40)}`)
}
