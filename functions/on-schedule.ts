/**
 * `onSchedule`: runs due jobs. Cloud Scheduler calls it every minute (`roundsMs`) with a token of its own service
 * account; nobody else may invoke it. Two at once do no harm: a job is claimed by one conditional write.
 */
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import { roundsMs } from '@porttunneler/shared/control/jobs/worker'
import { answering, type Fetch } from './answers.ts'
import { watchBackups } from './backup-watch.ts'
import type { Cloud } from './cloud.ts'
import { jobsAtOnce } from './on-jobs.ts'

/** Returns 204. A failing job is tried again later and logged; it does not fail the round. */
export function scheduleFunction({ control, backups }: Pick<Cloud, 'control' | 'backups'>): Fetch {
  const { log, settings } = control
  const worker = makeWorker(control, jobsAtOnce, [watchBackups(control, backups)])
  return answering(
    async () => {
      await worker.begin()
      await worker.round(roundsMs)
      return new Response(null, { status: 204 })
    },
    { log, docsUrl: settings.docsUrl },
  )
}
