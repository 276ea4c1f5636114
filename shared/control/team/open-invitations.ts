/** Which invitations count: for those who accept, and for those who may make an account only because of one. */
import { timingSafeEqual } from 'node:crypto'
import { hashSecret } from '../../base/ids.ts'
import type { Control } from '../control.ts'
import { normaliseEmail } from '../mail/addresses.ts'
import type { Ref } from '../platform.ts'
import { queries } from '../query-table.ts'
import { isStillOn } from '../stored-times.ts'
import { type InvitationDoc, invitations } from './invitation-documents.ts'

export const invitationMs = 7 * 24 * 3_600_000

/** What the token of a link names, and the secret in it. */
export type Asked = { readonly ref: Ref<InvitationDoc>; readonly secret: string }

export function readToken(token: string): Asked | undefined {
  const [, id, secret] = /^(tin_[0-9a-f]{40})\.(ptj_[\w-]{43})$/.exec(token) ?? []
  return id === undefined || secret === undefined ? undefined : { ref: invitations.ref(id), secret }
}

export function isOpen({ expiresAt }: InvitationDoc, nowMs: number): boolean {
  return isStillOn(expiresAt, { nowMs, lastsMs: invitationMs })
}

/** Whether it is open, and the secret is that of its last link. */
export function isRight(invitation: InvitationDoc, { secret }: Asked, nowMs: number): boolean {
  const right = Buffer.from(invitation.secret, 'hex')
  const given = Buffer.from(hashSecret(secret), 'hex')
  return isOpen(invitation, nowMs) && right.length === given.length && timingSafeEqual(right, given)
}

/** Whether somebody invited this address, which its sign-in service has confirmed. */
export async function isInvited(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  email: string,
): Promise<boolean> {
  const nowMs = clock.now()
  const options = { where: { email: normaliseEmail(email) }, from: nowMs, limit: 1 }
  const { items } = await store.query(queries.invitationsByAddress, options)
  return items.some(({ data }) => isOpen(data, nowMs))
}

/** Whether the token invites this address. It tells a person without the link nothing. */
export async function hasInvitation(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  { email, token }: { readonly email: string; readonly token: string },
): Promise<boolean> {
  const asked = readToken(token)
  const invitation = asked && (await store.get(asked.ref))?.data
  if (!asked || !invitation) return false
  return isRight(invitation, asked, clock.now()) && invitation.email === normaliseEmail(email)
}
