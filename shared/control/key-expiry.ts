/**
 * Keys with an end. Authentication refuses them from that moment on. A job that has waited for it revokes the key, so
 * that it takes no place in the plan, and ends what its agents serve, as for any revoked key.
 */
import { keyDaysMax } from '../api/schemas/accounts.ts'
import { writeAudit } from './audit.ts'
import type { Control } from './control.ts'
import { withCounts } from './counting.ts'
import { freshJob, type JobKind, jobRef, type RunningJob } from './jobs/jobs.ts'
import { kick } from './jobs/kick.ts'
import type { Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { lookToTake } from './quota.ts'
import { lookToUnserve } from './unserve.ts'

/**
 * Life of a key that a device got by its login: the longest that a console session lasts. So a machine that is lost,
 * sold or forgotten loses its access without anybody's action, and a person proves twice a year who they are.
 */
export const deviceKeyMs = 180 * 86_400_000

const kind = 'key.expiry'

/** Writes the job for a key that is made in this transaction, so the job cannot exist yet. */
export function writeKeyExpiry(
  tx: Pick<Transaction, 'create'>,
  { account, key, dueAt }: { readonly account: string; readonly key: string; readonly dueAt: number },
  nowMs: number,
): void {
  tx.create(jobRef(kind, key), freshJob({ kind, subject: key, account, dueAt }, nowMs))
}

export function expireKeys(control: Control): JobKind {
  return { name: kind, attemptsMax: 100, waitsMs: keyDaysMax * 86_400_000, run: (job) => run(control, job) }
}

async function run(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const { account, subject } = job
  const { items } = await store.query(queries.keyById, { where: { account, key: subject }, limit: 1 })
  const [found] = items
  const dueAt = found?.data.expiresAt
  if (found?.data.revokedAt !== 0 || dueAt === undefined) return
  // The clock was set back since.
  if (dueAt > clock.now()) return job.pause({}, dueAt)
  const end = () =>
    store.transact(async (tx) => {
      const nowMs = clock.now()
      const latest = await tx.get(found.ref)
      if (latest?.data.revokedAt !== 0) return []
      const take = await lookToTake(tx, account)
      const unserve = await lookToUnserve(tx, { account, subject }, nowMs)
      tx.update(found.ref, { revokedAt: nowMs })
      take({ keys: -1 })
      const entry = { account, actor: 'system', from: '', target: subject }
      writeAudit(tx, { ...entry, action: 'key.revoked', details: { reason: 'expired' } }, nowMs)
      return [unserve()]
    })
  await kick(control, await withCounts(control, end))
}
