/**
 * Invite codes: each has places for new accounts, the plan that they get, and an end. The store keeps a code's SHA-256.
 * An account takes its place in the transaction that makes it, so the last place goes to one.
 */
import { fail } from '../base/errors.ts'
import { hashSecret, newId, newSecret } from '../base/ids.ts'
import type { Control } from './control.ts'
import { globalCollection } from './names.ts'
import type { Transaction } from './platform.ts'

const dayMs = 24 * 3_600_000
/** So long after its end an operator can see who came by a code. */
const keptMs = 90 * dayMs
/** All who came by a code write its one document. */
export const invitePlacesMax = 200

/** Id: SHA-256 of the code. `invite` is the id that people see. */
export type InviteDoc = {
  readonly invite: string
  readonly plan: string
  readonly places: number
  /** The accounts that took one. */
  readonly accounts: readonly string[]
  readonly note: string
  readonly by: string
  readonly createdAt: number
  readonly expiresAt: number
  /** 0 = valid. */
  readonly revokedAt: number
  readonly ttl: Date
}

export const invites = globalCollection<InviteDoc>('invites')

type InviteWish = {
  readonly plan: string
  readonly places: number
  readonly days: number
  readonly note: string
  readonly by: string
}

/** A secret: everybody who has it can use it. The store has only its hash. */
export function newInviteCode(): string {
  return newSecret('pti')
}

/** Makes an invite of the code, with the transaction. @returns its id and its end */
export function writeInvite(
  tx: Pick<Transaction, 'create'>,
  code: string,
  { wish: { days, ...wish }, nowMs }: { readonly wish: InviteWish; readonly nowMs: number },
): { readonly invite: string; readonly expiresAt: number } {
  const invite = newId('inv', nowMs)
  const expiresAt = nowMs + days * dayMs
  const blank = { accounts: [], createdAt: nowMs, revokedAt: 0 }
  const ttl = new Date(expiresAt + keptMs)
  tx.create(invites.ref(hashSecret(code)), { invite, ...wish, ...blank, expiresAt, ttl })
  return { invite, expiresAt }
}

/** Whether the code would be taken now. @throws invite.invalid */
export async function requireInvite(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  code: string,
): Promise<void> {
  const found = await store.get(invites.ref(hashOf(code)))
  if (!found || !hasPlace(found.data, clock.now())) throw fail('invite.invalid')
}

/** Reads; `take` writes. @throws invite.invalid for every reason alike */
export async function findPlace(
  tx: Transaction,
  code: string,
  nowMs: number,
): Promise<{ readonly invite: string; readonly plan: string; take(account: string): void }> {
  const found = await tx.get(invites.ref(hashOf(code)))
  if (!found || !hasPlace(found.data, nowMs)) throw fail('invite.invalid')
  const { invite, plan, accounts } = found.data
  return {
    invite,
    plan,
    take: (account) => tx.update(found.ref, { accounts: [...accounts, account] }),
  }
}

function hasPlace({ revokedAt, expiresAt, places, accounts }: InviteDoc, nowMs: number): boolean {
  return revokedAt === 0 && nowMs < expiresAt && accounts.length < places
}

/** People copy codes with blanks around them. */
function hashOf(code: string): string {
  return hashSecret(code.trim())
}
