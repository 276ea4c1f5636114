/**
 * The beginning of a sign-in: its record, what is remembered of the place, and the mail about a new one. Local sign-in
 * calls it when it makes a session; at an outside service the first token shows the sign-in.
 */
import { isAddress, plainAddress, sourceNetwork } from '../../base/addresses.ts'
import { fail } from '../../base/errors.ts'
import { endedSignIns } from '../ended-sign-ins.ts'
import { lookToNotify } from '../mail/notices.ts'
import type { Store, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { deviceWords } from './device-words.ts'
import { visitPlace } from './places.ts'
import { type SignInDoc, type SignInMethod, signInPlaces, signIns } from './sign-in-documents.ts'

/** A sign-in not used for this long has ended (OWASP ASVS 5.0, 7.3.1). */
export const signInIdleMs = 30 * 86_400_000
/** However active, it ends then (ASVS 7.3.2). */
export const signInMsMax = 180 * 86_400_000
/** More than anybody has; a program that signs in over and over ends its own oldest ones. */
export const signInsMax = 100

/** Where a request came from, and what its program calls itself. */
export type Source = { readonly from: string; readonly userAgent?: string | undefined }

type Begun = {
  readonly id: string
  readonly user: string
  readonly method: SignInMethod
  readonly authTime: number
  readonly source: Source
  /** The person is known to be there: the device proved it, or the sign-in follows an earlier one. */
  readonly isExpected?: boolean
  /** It began with both factors: a passkey that verified its owner, or a sign-in that went on. */
  readonly hasShownFactor?: boolean
}

/**
 * Reads, so call it before the first write; the returned function writes, and returns the jobs to kick.
 * @throws auth.invalid when the sign-in has ended
 */
export async function lookToBegin(
  tx: Transaction,
  { id, user, method, authTime, source, isExpected = false, hasShownFactor = false }: Begun,
  nowMs: number,
): Promise<() => { readonly doc: SignInDoc; readonly jobs: readonly string[] }> {
  const [ended, present, places] = await Promise.all([
    tx.get(endedSignIns.ref(id)),
    tx.get(signIns.ref(id)),
    tx.get(signInPlaces.ref(user)),
  ])
  if (ended) throw fail('auth.invalid')
  // Another request of the same sign-in was faster.
  if (present) return () => ({ doc: present.data, jobs: [] })
  const { from, userAgent = '' } = source
  const device = deviceWords(userAgent)
  const visit = visitPlace(places?.data, { user, from, device }, nowMs)
  const notice = { event: 'place', user, from, device } as const
  // What the service does itself comes from nowhere.
  const isVisit = from !== ''
  const isNews = isVisit && visit.isNew && !isExpected
  const tell = isNews ? await lookToNotify(tx, notice, { account: '', nowMs }) : undefined
  const doc: SignInDoc = {
    user,
    method,
    authTime,
    freshAt: Math.min(authTime, nowMs),
    factorAt: hasShownFactor ? authTime : 0,
    createdAt: nowMs,
    ...usedFrom(source, nowMs),
  }
  return () => {
    tx.create(signIns.ref(id), doc)
    if (isVisit) tx.set(signInPlaces.ref(user), visit.doc)
    return { doc, jobs: tell ? [tell()] : [] }
  }
}

/** The fields that change with use. */
export function usedFrom(
  { from, userAgent = '' }: Source,
  nowMs: number,
): Pick<SignInDoc, 'usedAt' | 'from' | 'device' | 'ttl'> {
  const address = plainAddress(from)
  const network = isAddress(address) ? sourceNetwork(address) : ''
  const ttl = new Date(nowMs + signInIdleMs)
  return { usedAt: nowMs, from: network, device: deviceWords(userAgent), ttl }
}

/** The sign-ins that have to end so that one more has room, the longest unused first; usually none. */
export async function crowdedOut(store: Pick<Store, 'query'>, user: string): Promise<readonly string[]> {
  const { items } = await store.query(queries.signInsOfUser, { where: { user }, limit: signInsMax })
  return items.slice(0, Math.max(0, items.length + 1 - signInsMax)).map(({ ref }) => ref.id)
}
