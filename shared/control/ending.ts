/**
 * Jobs that end leases of an account, a few in each step: those that may not be served any more, those beyond its
 * limit, or all.
 */

import type { Outgoing } from './commands.ts'
import { publishCommands } from './commands.ts'
import type { Control } from './control.ts'
import { type EndpointDoc, endpoints } from './documents.ts'
import type { RunningJob } from './jobs/jobs.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { lookToTake } from './quota.ts'

/** Each is an endpoint and a command, besides the job and the quota; a transaction's documents are limited. */
const endsAtOnce = 8

export type End = {
  /** How many leases ended; the quota is reduced by this. */
  readonly ended: number
  readonly commands: readonly Outgoing[]
}

/**
 * Ends each of them, read anew, in steps of the job. @param end ends one that is still leased; its writes go with the
 * step
 */
export async function endLeases(
  control: Control,
  job: RunningJob,
  {
    leases,
    end,
  }: {
    readonly leases: readonly Snapshot<EndpointDoc>[]
    readonly end: (tx: Transaction, lease: Snapshot<EndpointDoc>) => End
  },
): Promise<void> {
  for (let start = 0; start < leases.length; start += endsAtOnce) {
    let commands: readonly Outgoing[] = []
    await job.advance(job.progress, async (tx) => {
      const some = leases.slice(start, start + endsAtOnce)
      const latest = await Promise.all(some.map(({ ref }) => tx.get(endpoints.ref(ref.id))))
      const take = await lookToTake(tx, job.account)
      const ends = latest.flatMap((lease) =>
        lease?.data.state === 'leased' && lease.data.account === job.account ? [end(tx, lease)] : [],
      )
      take({ online: -ends.reduce((sum, { ended }) => sum + ended, 0) })
      commands = ends.flatMap((one) => one.commands)
    })
    await publishCommands(control, commands)
    job.signal.throwIfAborted()
  }
}
