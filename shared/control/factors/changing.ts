/**
 * The one way in which a person's factors change: together with the user's mark that sign-ins look at, an entry in the
 * audit of each of their accounts, and a mail to the person, who must hear of it if it was not them.
 */

import { fail } from '../../base/errors.ts'
import { signInWrites } from '../audit/sign-ins.ts'
import type { AuditAction } from '../audit.ts'
import type { Control } from '../control.ts'
import { type UserDoc, users } from '../documents.ts'
import { look, type Wish } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import type { FactorNews } from '../mail/factor-news.ts'
import { lookToNotify } from '../mail/notices.ts'
import type { Snapshot, Store, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type FactorsDoc, factors, noFactors, type PasskeyDoc } from './factor-documents.ts'

/** More than anybody has devices, and fewer than a transaction reads. */
export const passkeysMax = 20

/** Who changes or shows factors: a signed-in person and the sign-in that they use. */
export type FactorCaller = {
  readonly user: string
  readonly email: string
  /** Id of the sign-in. */
  readonly signIn: string
  /** It has shown a factor. */
  readonly hasShown: boolean
  readonly from: string
  readonly userAgent?: string | undefined
}

export type FactorsNow = {
  readonly doc: FactorsDoc
  readonly passkeys: readonly Snapshot<PasskeyDoc>[]
}

/** Everything that a person has. */
export async function readFactors(
  store: Pick<Store, 'get' | 'query'> | Transaction,
  user: string,
): Promise<FactorsNow> {
  const found = await store.get(factors.ref(user))
  const { items } = await store.query(queries.passkeysOfUser, { where: { user }, limit: passkeysMax + 1 })
  return { doc: found?.data ?? noFactors(user), passkeys: items }
}

/** Recovery codes alone are no factor: they stand in for one. */
export function hasFactor({ doc, passkeys }: FactorsNow): boolean {
  return doc.app !== undefined || passkeys.length > 0
}

type Change = {
  readonly doc: FactorsDoc
  /** Passkeys after the change. */
  readonly passkeys: number
  /** Writes of its own. */
  readonly write?: (tx: Transaction) => void
  /** Ends every sign-in of the person. */
  readonly endSignIns?: boolean
}

type Event = {
  readonly action: AuditAction
  /** What the person is mailed; undefined: nothing. */
  readonly news?: FactorNews
  /** The passkey's. */
  readonly name?: string
  /**
   * Set for what a sign-in may do only when it has shown a factor, if there is one. It is asked here once more, because
   * another process may not have heard for 30 s that there is, and a thief of the password would add their own.
   */
  readonly by?: Pick<FactorCaller, 'hasShown'>
  /** Work that the change asks for. */
  readonly wishes?: readonly Wish[]
}

/**
 * @param change looks at what there is and returns what shall be; it may run again, and throws what refuses it
 * @throws auth.invalid for a person who was erased; auth.factor_needed
 */
export async function changeFactors(
  control: Pick<Control, 'store' | 'clock' | 'bus' | 'log'>,
  by: Pick<FactorCaller, 'user' | 'from' | 'userAgent'>,
  { action, news, name = '', by: shower, wishes = [] }: Event,
  change: (now: FactorsNow, nowMs: number) => Change,
): Promise<void> {
  const { store, clock } = control
  const { user, from, userAgent } = by
  const nowMs = clock.now()
  const details = name === '' ? {} : { name }
  const told = await signInWrites(store, { action, user, from, userAgent, details }, nowMs)
  const jobs = await store.transact(async (tx) => {
    const person = await tx.get(users.ref(user))
    if (!person) throw fail('auth.invalid')
    const now = await readFactors(tx, user)
    if (shower && !shower.hasShown && hasFactor(now)) throw fail('auth.factor_needed')
    const asks = await Promise.all(wishes.map((wish) => look(tx, wish, nowMs)))
    if (news !== undefined) {
      const notice = { event: 'factor', user, news, name, from } as const
      asks.push(await lookToNotify(tx, notice, { account: '', nowMs }))
    }
    const next = change(now, nowMs)
    tx.set(factors.ref(user), next.doc)
    next.write?.(tx)
    tx.update(person.ref, marksOf(person.data, next, nowMs))
    for (const { ref, data } of told) tx.create(ref, data)
    return asks.map((ask) => ask())
  })
  await kick(control, jobs)
}

/** What sign-ins and policies read of it. */
function marksOf(
  user: UserDoc,
  { doc, passkeys, endSignIns = false }: Change,
  nowMs: number,
): Partial<UserDoc> {
  const { factorSince, validSince } = user
  const has = doc.app !== undefined || passkeys > 0
  // Firebase dates sign-ins by the second, so one that began in this second ends too.
  const since = Math.max((Math.floor(nowMs / 1_000) + 1) * 1_000, validSince + 1)
  return {
    hasFactor: has,
    ...(has && factorSince === undefined && { factorSince: nowMs }),
    recoveringUntil: doc.recovery && doc.recovery.readyAt > 0 ? doc.recovery.endsAt : 0,
    ...(endSignIns && { validSince: since }),
  }
}
