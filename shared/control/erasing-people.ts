/**
 * Erases the members of an account. A person who belongs to no other account, and is no operator, is erased too: first
 * what sign-in stores about them, here and at an outside service, then their user. Meanwhile they cannot get in, and
 * their tokens stay refused, so no late request makes them anew. If they sign up again, they are strangers.
 */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { addressChanges } from './address-change/address-change-documents.ts'
import type { Control } from './control.ts'
import { identities, type MemberDoc, type UserDoc, users } from './documents.ts'
import { passkeysMax } from './factors/changing.ts'
import { factors } from './factors/factor-documents.ts'
import type { RunningJob } from './jobs/jobs.ts'
import { eraseTraces } from './leaving/traces.ts'
import { addressRef } from './mail/addresses.ts'
import { operators } from './operator/operator-documents.ts'
import type { Doc, Forgotten, Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { lookToCountGone } from './retention/gone.ts'
import { signInsMax } from './sign-ins/beginning.ts'
import { signInPlaces } from './sign-ins/sign-in-documents.ts'
import { erasedIdentity } from './tombstones.ts'
import { waitingRef } from './wait-list.ts'

/** More ways of signing in than one person has. */
const waysMax = 10

const forgottenSchema = z.object({
  id: z.string(),
  email: z.string(),
  subjects: z.array(z.string()).max(waysMax).default([]),
})
/** A person whom sign-in has to forget, recorded in the step in which their membership ended. */
const progressSchema = z.looseObject({ forget: forgottenSchema.optional() })

export async function eraseMembers(control: Control, job: RunningJob): Promise<void> {
  const { store } = control
  for (;;) {
    job.signal.throwIfAborted()
    const { forget, ...rest } = progressSchema.parse(job.progress)
    if (forget) await erasePerson(control, job, { person: forget, rest: rest as Doc })
    const where = { account: job.account }
    const { items } = await store.query(queries.membersOfAccount, { where, limit: 1 })
    const [member] = items
    if (!member) return
    await eraseMember(control, job, { member, rest: rest as Doc })
  }
}

/** Sign-in first: while it fails, the ways that lead there are still known. */
export async function erasePerson(
  control: Control,
  job: RunningJob,
  { person, rest }: { readonly person: Forgotten; readonly rest: Doc },
): Promise<void> {
  const { identity, clock } = control
  await identity.forget(person)
  await eraseSignIns(control.store, person.id)
  await erasePasskeys(control.store, person.id)
  await eraseRemovedWays(control.store, person.id)
  await eraseTraces(control, person)
  const nowMs = clock.now()
  await job.advance(rest, async (tx) => {
    const count = await lookToCountGone(tx, nowMs)
    // One, with all that is theirs.
    count({ users: 1 })
    tx.delete(users.ref(person.id))
    tx.delete(waitingRef(person.email))
    tx.delete(addressRef(person.email))
    tx.delete(signInPlaces.ref(person.id))
    tx.delete(factors.ref(person.id))
    tx.delete(addressChanges.ref(person.id))
    for (const subject of person.subjects) tx.set(identities.ref(subject), erasedIdentity(nowMs))
  })
}

/** They let nobody in any more: the person is disabled. */
async function eraseSignIns(store: Control['store'], user: string): Promise<void> {
  for (;;) {
    const { items } = await store.query(queries.signInsOfUser, { where: { user }, limit: signInsMax })
    if (items.length === 0) return
    await store.batch(items.map(({ ref }) => ({ op: 'delete', ref })))
  }
}

/** Services that they had removed from their sign-in: without the person there is nothing to keep out any more. */
async function eraseRemovedWays(store: Control['store'], user: string): Promise<void> {
  const options = { where: {}, from: user, to: user, limit: waysMax }
  for (;;) {
    const { items } = await store.query(queries.identitiesRemovedFrom, options)
    if (items.length === 0) return
    await store.batch(items.map(({ ref }) => ({ op: 'delete', ref })))
  }
}

async function erasePasskeys(store: Control['store'], user: string): Promise<void> {
  const { items } = await store.query(queries.passkeysOfUser, { where: { user }, limit: passkeysMax + 1 })
  if (items.length > 0) await store.batch(items.map(({ ref }) => ({ op: 'delete', ref })))
}

/** The person as sign-in knows them. */
export async function forgottenOf(
  { store }: Pick<Control, 'store'>,
  { ref: { id }, data: { email } }: Snapshot<UserDoc>,
) {
  const options = { where: {}, from: id, to: id, limit: waysMax }
  const { items } = await store.query(queries.identitiesByUser, options)
  return { id, email, subjects: items.map(({ ref }) => ref.id) }
}

async function eraseMember(
  control: Control,
  job: RunningJob,
  { member, rest }: { readonly member: Snapshot<MemberDoc>; readonly rest: Doc },
): Promise<void> {
  const { store, clock } = control
  const id = member.data.user
  const options = { where: { user: id }, limit: 2 }
  const [of, person, operator] = await Promise.all([
    store.query(queries.membersOfUser, options),
    store.get(users.ref(id)),
    store.get(operators.ref(id)),
  ])
  const isLast = of.items.length === 1
  if (!isLast || !person || operator) {
    await job.advance(rest, async (tx) => {
      // If two accounts of a person are erased at once, one of them has to see that it is the last.
      if ((await tx.query(queries.membersOfUser, options)).items.length === 1 && !isLast)
        throw fail('store.contention')
      tx.delete(member.ref)
    })
    return
  }
  const forget = await forgottenOf(control, person)
  const validSince = Math.max(clock.now(), person.data.validSince) + 1
  await job.advance({ ...rest, forget }, async (tx) => {
    if ((await tx.query(queries.membersOfUser, options)).items.length !== 1) throw fail('store.contention')
    tx.delete(member.ref)
    tx.update(person.ref, { status: 'disabled', validSince })
  })
}
