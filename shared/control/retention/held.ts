/**
 * Whether an account is on a legal hold, for jobs that would delete what nobody asked to delete: unused tunnels, claims
 * of domains that were never proven, certificates that have expired. Apart from holds.ts, which knows every collection.
 */
import type { Transaction } from '../platform.ts'
import { isStillOn } from '../stored-times.ts'
import { type HoldDoc, holds } from './retention-documents.ts'

/** No law asks for more. */
export const holdMsMax = 3_660 * 24 * 3_600_000

/** Whether something is on hold now. */
export function isOn({ until }: HoldDoc, nowMs: number): boolean {
  return isStillOn(until, { nowMs, lastsMs: holdMsMax })
}

/** @param account '' = the service itself, which nothing holds */
export async function isAccountHeld(
  store: Pick<Transaction, 'get'>,
  account: string,
  nowMs: number,
): Promise<boolean> {
  const hold = account === '' ? undefined : await store.get(holds.ref(account))
  return hold !== undefined && isOn(hold.data, nowMs)
}
