/** Changes an account's plan, or one of its own limits: tunnels above the new limit end, the newest first. */
import { fail } from '../base/errors.ts'
import { queryAll } from './cells.ts'
import type { AccountControl, Control } from './control.ts'
import { type AccountDoc, accounts } from './documents.ts'
import { endLeases } from './ending.ts'
import { type JobKind, look, type RunningJob } from './jobs/jobs.ts'
import { kick } from './jobs/kick.ts'
import { limitsOf } from './plans.ts'
import type { Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { quotas } from './quota-documents.ts'
import { writeRelease } from './tunnels.ts'

/**
 * New connections have the new limits at once; tunnels above the new number end within seconds.
 * @param next returns the changed account; its writes commit with the change. It may run again.
 * @param tell asks for what its people are told, if it changes
 */
export async function changeLimits(
  control: Pick<AccountControl, 'bus' | 'clock' | 'log' | 'store'>,
  next: (tx: Transaction, before: AccountDoc, nowMs: number) => AccountDoc,
  tell?: (tx: Transaction, nowMs: number) => Promise<() => string>,
): Promise<void> {
  const { account } = control.store
  const nowMs = control.clock.now()
  const jobs = await control.store.transact(async (tx) => {
    const before = await tx.get(accounts.ref(account))
    if (!before) throw fail('api.not_found')
    const ask = await look(tx, { kind: 'limits', subject: account, account }, nowMs)
    const told = await tell?.(tx, nowMs)
    const after = next(tx, before.data, nowMs)
    tx.set(before.ref, after)
    return [ask(), ...(told && after !== before.data ? [told()] : [])]
  })
  await kick(control, jobs)
}

export function keepLimits(control: Control): JobKind {
  return { name: 'limits', attemptsMax: 100, run: (job) => run(control, job) }
}

async function run(control: Control, job: RunningJob): Promise<void> {
  const { store } = control
  const { account } = job
  const [owner, quota] = await Promise.all([store.get(accounts.ref(account)), store.get(quotas.ref(account))])
  if (!owner || !quota) return
  const { tunnelsOnline } = limitsOf(owner.data)
  if (quota.data.online <= tunnelsOnline) return
  const where = { account, state: 'leased' }
  const leases = await queryAll(store, queries.leasesOfAccount, { where })
  const newest = leases.toSorted((a, b) => b.data.leasedAt - a.data.leasedAt)
  const above = newest.slice(0, Math.max(0, leases.length - tunnelsOnline))
  await endLeases(control, job, {
    leases: above,
    end: (tx, lease) => {
      const nowMs = control.clock.now()
      return { ended: 1, commands: writeRelease(tx, lease, { nowMs, forget: false, isDisplaced: true }) }
    },
  })
}
