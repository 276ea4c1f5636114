/**
 * The members of an account that is erased. A person who belongs to no other account, and is no operator, goes too:
 * their user, their ways of signing in, and what sign-in keeps of them. Whoever comes again is a stranger.
 */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { Control } from './control.ts'
import { identities, type MemberDoc, operators, users } from './documents.ts'
import type { RunningJob } from './jobs/jobs.ts'
import type { Doc, Snapshot } from './platform.ts'
import { queries } from './query-table.ts'

/** Ways of signing in that one person has, and more. */
const waysMax = 10

/** Who is to be forgotten by sign-in: in the step in which the domain forgot them. */
const progressSchema = z.looseObject({
  forget: z.object({ id: z.string(), email: z.string() }).optional(),
})

export async function eraseMembers(control: Control, job: RunningJob): Promise<void> {
  const { store, identity } = control
  for (;;) {
    job.signal.throwIfAborted()
    const { forget, ...rest } = progressSchema.parse(job.progress)
    if (forget) {
      await identity.forget(forget)
      await job.advance(rest as Doc)
    }
    const where = { account: job.account }
    const { items } = await store.query(queries.membersOfAccount, { where, limit: 1 })
    const [member] = items
    if (!member) return
    await eraseMember(control, job, { member, rest: rest as Doc })
  }
}

async function eraseMember(
  { store }: Control,
  job: RunningJob,
  { member, rest }: { readonly member: Snapshot<MemberDoc>; readonly rest: Doc },
): Promise<void> {
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
      // Of a person's two accounts that are erased at once, one has to see that it is the last.
      if ((await tx.query(queries.membersOfUser, options)).items.length === 1 && !isLast)
        throw fail('store.contention')
      tx.delete(member.ref)
    })
    return
  }
  const ways = await store.query(queries.identitiesByUser, { where: {}, from: id, to: id, limit: waysMax })
  const forget = { id, email: person.data.email }
  await job.advance({ ...rest, forget }, async (tx) => {
    if ((await tx.query(queries.membersOfUser, options)).items.length !== 1) throw fail('store.contention')
    for (const ref of [member.ref, person.ref, ...ways.items.map((way) => identities.ref(way.ref.id))])
      tx.delete(ref)
  })
}
