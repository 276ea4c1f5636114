/**
 * Who may act as an operator through the service itself. `ptunctl` does not check this: a person with the data folder,
 * or with rights in the project, needs no other right.
 */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { queryAll } from '../cells.ts'
import { users } from '../documents.ts'
import { kick } from '../jobs/kick.ts'
import { queries } from '../query-table.ts'
import { declareAct, writeAct } from './act.ts'
import { operators } from './operator-documents.ts'
import { findPerson } from './people.ts'
import { lookToEndViewOf } from './views.ts'

const whoSchema = z.strictObject({ who: z.string().trim().min(1).max(254) })

export const operatorActs = {
  'operators.list': declareAct(z.strictObject({}), async ({ control }) => {
    const items = await queryAll(control.store, queries.operatorsByState, { where: { state: 'active' } })
    const people = await control.store.getAll(items.map(({ ref }) => users.ref(ref.id)))
    return items.map(({ ref, data: { since, by } }, index) => ({
      user: ref.id,
      email: people[index]?.data.email ?? '',
      since,
      by,
    }))
  }),
  'operators.add': declareAct(whoSchema, async ({ control }, { who }, by) => {
    const person = await findPerson(control, who)
    const user = person.ref.id
    const nowMs = control.clock.now()
    await control.store.transact(async (tx) => {
      if (await tx.get(operators.ref(user)))
        throw fail('operator.exists', `${person.data.email} is an operator already.`)
      tx.create(operators.ref(user), { state: 'active', since: nowMs, by: by.actor })
      writeAct(tx, by, { action: 'operator.added', target: user }, nowMs)
    })
    return { user, email: person.data.email }
  }),
  'operators.remove': declareAct(whoSchema, async ({ control }, { who }, by) => {
    const user = who.includes('@') ? (await findPerson(control, who)).ref.id : who
    const nowMs = control.clock.now()
    const jobs = await control.store.transact(async (tx) => {
      if (!(await tx.get(operators.ref(user)))) throw fail('operator.missing', `${who} is no operator.`)
      const endView = await lookToEndViewOf(tx, user, nowMs)
      tx.delete(operators.ref(user))
      writeAct(tx, by, { action: 'operator.removed', target: user }, nowMs)
      return endView()
    })
    await kick(control, jobs)
    return { user }
  }),
}
