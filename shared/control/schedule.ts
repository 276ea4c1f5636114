/** Work for every quarter of an hour, whether or not anybody calls: jobs that are due again when they have finished. */
import { z } from 'zod'
import { everyCell, makeCommand, publishCommands, writeCommand } from './commands.ts'
import type { Control } from './control.ts'
import type { JobKind, RunningJob } from './jobs/jobs.ts'
import { sweep } from './sweeper.ts'

/** Often enough for leases of 2 h, and for a rotation that is exact to a quarter of an hour. */
const everyMs = 15 * 60_000
/** They run again anyway: a failure is tried again sooner, and they are never given up. */
const attemptsMax = Number.MAX_SAFE_INTEGER

const progressSchema = z.object({
  part: z.enum(['lapsed', 'kept']),
  expired: z.int(),
  freed: z.int(),
  after: z.tuple([z.union([z.string(), z.number()]), z.string()]).optional(),
})

export function sweepEndpoints(control: Control): JobKind {
  const run = async (job: RunningJob) => {
    const start = progressSchema.safeParse(job.progress)
    const swept = await sweep(control, start.data, async ({ after, ...progress }) => {
      job.signal.throwIfAborted()
      await job.advance({ ...progress, ...(after && { after }) })
    })
    if (swept.expired + swept.freed > 0) control.log.info(swept, 'endpoints were swept')
  }
  return { name: 'endpoints.sweep', attemptsMax, everyMs, run }
}

export function rotateKeys(control: Control): JobKind {
  const run = async () => {
    const version = await control.signer.rotate()
    if (version === undefined) return
    const outgoing = makeCommand(everyCell, { kind: 'keys', version }, control.clock.now())
    await control.store.transact(async (tx) => writeCommand(tx, outgoing))
    await publishCommands(control, [outgoing])
  }
  return { name: 'keys.rotate', attemptsMax, everyMs, run }
}
