/**
 * A person who belongs to no account any more, because they left the last one or were removed from it. Their sign-in
 * leads nowhere and nobody asks for it, so it is erased by itself after the same time as one that its owner deletes
 * (people.ts). Until then it may be used: an invitation or an account of their own ends the waiting.
 */
import { writeAudit } from '../audit.ts'
import type { Control } from '../control.ts'
import { users } from '../documents.ts'
import { look } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { operators } from '../operator/operator-documents.ts'
import { queries } from '../query-table.ts'
import { leaveKind } from './people.ts'
import { leavingFrom, withoutLeaving } from './terms.ts'

/** Does nothing for somebody who still belongs to an account, is an operator, or is leaving already. */
export async function leaveIfAlone(control: Control, user: string): Promise<void> {
  const nowMs = control.clock.now()
  const jobs = await control.store.transact(async (tx) => {
    const found = await tx.get(users.ref(user))
    if (found?.data.status !== 'active' || found.data.leaving) return []
    if (await tx.get(operators.ref(user))) return []
    const { items } = await tx.query(queries.membersOfUser, { where: { user }, limit: 1 })
    if (items.length > 0) return []
    const ask = await look(tx, { kind: leaveKind, subject: user, account: '' }, nowMs)
    tx.update(found.ref, { leaving: { ...leavingFrom(nowMs), isAlone: true } })
    const entry = { account: '', actor: 'system', from: '', target: user, action: 'person.leaving' } as const
    writeAudit(tx, { ...entry, details: { reason: 'alone' } }, nowMs)
    return [ask()]
  })
  await kick(control, jobs)
}

/** Somebody who was alone belongs to an account again. Should this be lost, their job finds it out by itself. */
export async function belongAgain({ store }: Pick<Control, 'store'>, user: string): Promise<void> {
  await store.change(users.ref(user), (found) => (found?.leaving?.isAlone ? withoutLeaving(found) : 'keep'))
}
