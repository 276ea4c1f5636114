/** A person's own sign-ins: they see where they are signed in, and end what is not theirs or no longer needed. */
import { fail } from '../../base/errors.ts'
import { signInWrites } from '../audit/sign-ins.ts'
import type { Person } from '../caller.ts'
import type { Control } from '../control.ts'
import { users } from '../documents.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type Source, signInMsMax, signInsMax } from './beginning.ts'
import { type SignInDoc, signIns } from './sign-in-documents.ts'

export type OwnSignIn = {
  readonly id: string
  /** The one that asks. */
  readonly isCurrent: boolean
  readonly doc: SignInDoc
}

type Parts = Pick<Control, 'store' | 'clock' | 'identity' | 'signIns'>

/** Those that have not ended, the last used first. */
export async function listOwnSignIns(control: Parts, person: Person): Promise<readonly OwnSignIn[]> {
  const found = await findLive(control, person)
  return found
    .map(({ ref: { id }, data: doc }) => ({ id, doc, isCurrent: id === person.signIn?.id }))
    .toReversed()
}

/**
 * Ends one, at once here and within 30 s in other processes; also the one that asks.
 * @throws api.not_found when it is not the person's, or has ended; auth.invalid when the one that asks has ended
 */
export async function endOwnSignIn(
  control: Parts,
  person: Person,
  { id, source }: { readonly id: string; readonly source: Source },
): Promise<void> {
  await requireCurrent(control, person)
  const found = await control.store.get(signIns.ref(id))
  if (found?.data.user !== person.id)
    throw fail('api.not_found', 'There is no such session, or it has ended.')
  await end(control, person, { ids: [id], source })
}

/** Ends all but the one that asks. @returns how many @throws auth.invalid when the one that asks has ended */
export async function endOtherSignIns(control: Parts, person: Person, source: Source): Promise<number> {
  await requireCurrent(control, person)
  const found = await findLive(control, person)
  const ids = found.map(({ ref }) => ref.id).filter((id) => id !== person.signIn?.id)
  if (ids.length > 0) await end(control, person, { ids, source })
  return ids.length
}

/** A sign-in that was ended elsewhere a moment ago must not end its owner's. */
async function requireCurrent({ signIns: all }: Parts, { signIn }: Person): Promise<void> {
  if (signIn) await all.readNow(signIn.id)
}

async function end(
  { store, clock, identity }: Parts,
  { id: user }: Person,
  { ids, source }: { readonly ids: readonly string[]; readonly source: Source },
): Promise<void> {
  const event = { action: 'auth.session_ended', user, ...source, details: { sessions: ids.length } } as const
  const told = await signInWrites(store, event, clock.now())
  await identity.endSignIns(ids)
  await store.batch(told)
}

async function findLive(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  { id: user }: Person,
): Promise<readonly Snapshot<SignInDoc>[]> {
  const [{ items }, owner] = await Promise.all([
    store.query(queries.signInsOfUser, { where: { user }, limit: signInsMax }),
    store.get(users.ref(user)),
  ])
  const now = clock.now()
  const since = Math.max(owner?.data.validSince ?? 0, now - signInMsMax)
  return items.filter(({ data }) => data.authTime >= since && data.ttl.getTime() > now)
}
