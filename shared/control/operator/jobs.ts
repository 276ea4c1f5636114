/** An operator's view of jobs: what waits, what failed for good, and what to do about it. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { type JobDoc, jobs } from '../documents.ts'
import { kick } from '../jobs/kick.ts'
import type { Page, QueryOptions, Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type By, declareAct, writeAct } from './act.ts'

const listSchema = z.strictObject({ limit: z.int().min(1).max(500).default(100) })
const idSchema = z.strictObject({ id: z.string().min(1).max(128) })

export const jobActs = {
  'jobs.list': declareAct(listSchema, ({ control }, { limit }) => list(control, 'live', limit)),
  'jobs.dead': declareAct(listSchema, ({ control }, { limit }) => list(control, 'dead', limit)),
  'jobs.retry': declareAct(idSchema, async ({ control }, { id }, by) => {
    await retryJob(control, id, by)
    return { id, state: 'live' }
  }),
  'jobs.drop': declareAct(idSchema, async ({ control }, { id }, by) => {
    await dropJob(control, id, by)
    return { id, state: 'dropped' }
  }),
}

/** The next first. */
export function pageJobs(
  { store }: Pick<Control, 'store'>,
  state: JobDoc['state'],
  page: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<JobDoc>> {
  return store.query(queries.jobsByState, { where: { state }, ...page })
}

export function describeJob({ ref, data: { account, attempts, error, dueAt } }: Snapshot<JobDoc>) {
  return { id: ref.id, account, attempts, error, dueAt }
}

/** Tries a dead job again, from its last step. @throws operator.missing */
export async function retryJob(control: Control, id: string, by: By): Promise<void> {
  const nowMs = control.clock.now()
  await control.store.transact(async (tx) => {
    const { ttl: _, ...dead } = (await findDead(tx, id)).data
    tx.set(jobs.ref(id), { ...dead, state: 'live', dueAt: nowMs, attempts: 0, claim: '' })
    writeAct(tx, by, { account: dead.account, action: 'job.retried', target: id }, nowMs)
  })
  await kick(control, [id])
}

/** Forgets a dead job; what it had done stays. @throws operator.missing */
export async function dropJob(control: Control, id: string, by: By): Promise<void> {
  await control.store.transact(async (tx) => {
    const { data } = await findDead(tx, id)
    tx.delete(jobs.ref(id))
    const entry = { account: data.account, action: 'job.dropped', target: id } as const
    writeAct(tx, by, { ...entry, details: { error: data.error } }, control.clock.now())
  })
}

async function list(control: Control, state: JobDoc['state'], limit: number) {
  return (await pageJobs(control, state, { limit })).items.map(describeJob)
}

/** A live job is left to the workers. @throws operator.missing */
async function findDead(tx: Transaction, id: string): Promise<Snapshot<JobDoc>> {
  const found = await tx.get(jobs.ref(id))
  if (found?.data.state !== 'dead') throw fail('operator.missing', `There is no dead job "${id}".`)
  return found
}
