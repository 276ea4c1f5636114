/** An operator's view of jobs: what waits, what failed for good, and what to do about it. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { type JobDoc, jobs } from '../documents.ts'
import { kick } from '../jobs/kick.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { declareAct, writeAct } from './act.ts'

const listSchema = z.strictObject({ limit: z.int().min(1).max(500).default(100) })
const idSchema = z.strictObject({ id: z.string().min(1).max(128) })

export const jobActs = {
  'jobs.list': declareAct(listSchema, ({ control }, { limit }) => list(control, 'live', limit)),
  'jobs.dead': declareAct(listSchema, ({ control }, { limit }) => list(control, 'dead', limit)),
  'jobs.retry': declareAct(idSchema, async ({ control }, { id }, by) => {
    const nowMs = control.clock.now()
    await control.store.transact(async (tx) => {
      const { ttl: _, ...dead } = (await findDead(tx, id)).data
      tx.set(jobs.ref(id), { ...dead, state: 'live', dueAt: nowMs, attempts: 0, claim: '' })
      writeAct(tx, by, { account: dead.account, action: 'job.retried', target: id }, nowMs)
    })
    await kick(control, [id])
    return { id, state: 'live' }
  }),
  'jobs.drop': declareAct(idSchema, async ({ control }, { id }, by) => {
    await control.store.transact(async (tx) => {
      const { data } = await findDead(tx, id)
      tx.delete(jobs.ref(id))
      const entry = { account: data.account, action: 'job.dropped', target: id } as const
      writeAct(tx, by, { ...entry, details: { error: data.error } }, control.clock.now())
    })
    return { id, state: 'dropped' }
  }),
}

async function list({ store }: Control, state: JobDoc['state'], limit: number) {
  const { items } = await store.query(queries.jobsByState, { where: { state }, limit })
  return items.map(({ ref, data: { account, attempts, error, dueAt } }) => ({
    id: ref.id,
    account,
    attempts,
    error,
    dueAt,
  }))
}

/** A live job is left to the workers. @throws operator.missing */
async function findDead(tx: Transaction, id: string): Promise<Snapshot<JobDoc>> {
  const found = await tx.get(jobs.ref(id))
  if (found?.data.state !== 'dead') throw fail('operator.missing', `There is no dead job "${id}".`)
  return found
}
