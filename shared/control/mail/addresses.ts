/**
 * What is known of a mail address: that a mail server said nobody has it, and which mails its reader turned off. Found
 * by a hash, so that the collection lists nobody's address.
 */
import { hashSecret } from '../../base/ids.ts'
import type { Control } from '../control.ts'
import { globalCollection } from '../names.ts'
import type { Ref, Snapshot, Store, Transaction } from '../platform.ts'
import { isStillOn } from '../stored-times.ts'
import { type Purpose, purposes } from './templates.ts'

/** Id: SHA-256 of the address in small letters. */
export type MailAddressDoc = {
  /** When a server last refused it; 0 = it takes mail as far as we know. */
  readonly bouncedAt: number
  /** The codes of that refusal, such as `550 5.1.1`; '' = none. */
  readonly reply: string
  /** Purposes that its reader turned off. */
  readonly off: readonly string[]
  /** Set while nothing is turned off: a refusal is forgotten then. */
  readonly ttl?: Date
}

export const mailAddresses = globalCollection<MailAddressDoc>('mailAddresses')

/** Addresses that were given up are given to other people, if at all, after about this time. */
const bounceMs = 180 * 24 * 3_600_000

/** Addresses differ in case and Unicode form only by accident. */
export function normaliseEmail(email: string): string {
  return email.trim().normalize('NFC').toLowerCase()
}

/** Names the address without showing it. */
export function addressId(email: string): string {
  return hashSecret(normaliseEmail(email))
}

export function addressRef(email: string): Ref<MailAddressDoc> {
  return mailAddresses.ref(addressId(email))
}

export function hasBounced(address: MailAddressDoc | undefined, nowMs: number): boolean {
  if (!address || address.bouncedAt === 0) return false
  return isStillOn(address.bouncedAt + bounceMs, { nowMs, lastsMs: bounceMs })
}

/** Why a mail of this purpose does not go there; undefined: it does. */
export function obstacleOf(
  address: MailAddressDoc | undefined,
  purpose: Purpose,
  nowMs: number,
): 'bounced' | 'off' | undefined {
  if (purpose === 'asked') return undefined
  if (hasBounced(address, nowMs)) return 'bounced'
  return address?.off.includes(purpose) ? 'off' : undefined
}

/** Reads, so call it before the first write; the returned function writes that a server refused the address. */
export async function lookToBounce(
  tx: Transaction,
  email: string,
  { reply, nowMs }: { readonly reply: string; readonly nowMs: number },
): Promise<() => void> {
  const ref = addressRef(email)
  const before = await tx.get(ref)
  return () => tx.set(ref, bounced(before, reply, nowMs))
}

function bounced(before: Snapshot<MailAddressDoc> | undefined, reply: string, nowMs: number): MailAddressDoc {
  const off = before?.data.off ?? []
  const forgotten = off.length > 0 ? {} : { ttl: new Date(nowMs + bounceMs) }
  return { bouncedAt: nowMs, reply, off, ...forgotten }
}

/** A mail that its reader asked for was taken, or an operator says that the address is right. */
export async function clearBounce(store: Pick<Store, 'change'>, email: string): Promise<void> {
  await store.change(addressRef(email), (current) => {
    if (!current) return 'keep'
    return current.off.length === 0 ? 'delete' : { bouncedAt: 0, reply: '', off: current.off }
  })
}

/** @returns what is known of the address with mails of one purpose off or on; undefined: nothing any more */
export function withMails(
  current: MailAddressDoc | undefined,
  { purpose, off: isOff }: { readonly purpose: Purpose; readonly off: boolean },
): MailAddressDoc | undefined {
  const { bouncedAt = 0, reply = '', off = [] } = current ?? {}
  // Only what this release knows: the list cannot grow.
  const kept = off.filter((one) => one !== purpose && (purposes as readonly string[]).includes(one))
  if (isOff) return { bouncedAt, reply, off: [...kept, purpose] }
  if (kept.length > 0) return { bouncedAt, reply, off: kept }
  return bouncedAt === 0 ? undefined : { bouncedAt, reply, off: [], ttl: new Date(bouncedAt + bounceMs) }
}

/** Turns mails of one purpose off for the address with this id. Repeating it changes nothing. */
export async function turnOff(
  { store }: Pick<Control, 'store'>,
  id: string,
  purpose: Purpose,
): Promise<void> {
  await store.change(mailAddresses.ref(id), (current) => {
    if (current?.off.includes(purpose)) return 'keep'
    return withMails(current, { purpose, off: true }) ?? 'keep'
  })
}
