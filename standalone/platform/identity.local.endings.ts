/**
 * What ends all sign-ins of a person at once: signing out everywhere, and a new password of a signed-in person. And
 * what leaves them: a new address.
 */
import { fail } from '@porttunneler/shared/base/errors'
import type { SignInWrite } from '@porttunneler/shared/control/audit/sign-ins'
import { users } from '@porttunneler/shared/control/documents'
import { lookToEndKeys } from '@porttunneler/shared/control/earlier-keys'
import type { MovedAddress, Store } from '@porttunneler/shared/control/platform'
import { emailRef, passwords } from './identity.local.documents.ts'
import { lookToTellOfPassword } from './identity.local.resets.ts'

type Ending = {
  readonly user: string
  readonly endKeys: boolean
  /** Audit entries that commit with it. */
  readonly told: readonly SignInWrite[]
  readonly now: number
}

/** Sign-ins before `since` have ended, and `jobs` end the rest. */
export type Ended = { readonly since: number; readonly jobs: readonly string[] }

export function endAll(store: Store, { user, endKeys, told, now }: Ending): Promise<Ended> {
  return store.transact(async (tx) => {
    const doc = await tx.get(users.ref(user))
    if (!doc) return { since: 0, jobs: [] }
    const since = Math.max(now, doc.data.validSince) + 1
    const ask = endKeys ? await lookToEndKeys(tx, { user, sinceMs: since }, now) : undefined
    tx.update(doc.ref, { validSince: since })
    for (const { ref, data } of told) tx.create(ref, data)
    return { since, jobs: ask ? [ask()] : [] }
  })
}

/** @param generation of the password that was proven. @throws auth.credentials when it is no longer the present one */
export function replacePassword(
  store: Store,
  { user, endKeys, told, now }: Ending,
  { hash, generation, from }: { readonly hash: string; readonly generation: number; readonly from: string },
): Promise<Ended> {
  return store.transact(async (tx) => {
    const doc = (await tx.get(users.ref(user)))?.data
    const before = (await tx.get(passwords.ref(user)))?.data
    // When two changes at once both know the old password, the second no longer does.
    if (!doc || before?.generation !== generation) throw fail('auth.credentials')
    const since = Math.max(now, doc.validSince) + 1
    const ask = endKeys ? await lookToEndKeys(tx, { user, sinceMs: since }, now) : undefined
    const tell = await lookToTellOfPassword(tx, { user, from }, now)
    tx.update(users.ref(user), { validSince: since })
    tx.set(passwords.ref(user), { hash, generation: generation + 1 })
    for (const { ref, data } of told) tx.create(ref, data)
    return { since, jobs: ask ? [tell(), ask()] : [tell()] }
  })
}

/** @throws auth.taken */
export function moveLocalAddress(store: Store, { id, from, to }: MovedAddress): Promise<void> {
  return store.transact(async (tx) => {
    const [before, after] = [await tx.get(emailRef(from)), await tx.get(emailRef(to))]
    if (after && after.data.user !== id) throw fail('auth.taken')
    if (!after) tx.create(emailRef(to), { user: id })
    if (before?.data.user === id) tx.delete(before.ref)
    tx.update(users.ref(id), { email: to, emailVerified: true })
  })
}
