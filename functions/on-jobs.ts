/**
 * `onJobs`: runs jobs whose ids come by a Pub/Sub trigger on the topic `jobs`, right after the change that requested
 * them. `onSchedule` finds a lost one within a minute, so nothing is ever sent again.
 */
import type { Control } from '@porttunneler/shared/control/control'
import { kickSchema } from '@porttunneler/shared/control/jobs/kick'
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import { readPublished } from './published.ts'

/** Most of a job is waiting for Firestore or another service. */
export const jobsAtOnce = 16

/** For `cloudEvent('onJobs', ...)` of the functions framework. Never rejects because of the message. */
export function jobsFunction(control: Control): (event: { data?: unknown }) => Promise<void> {
  const worker = makeWorker(control, jobsAtOnce)
  return async ({ data }) => {
    const kick = kickSchema.safeParse(readPublished(data))
    if (kick.success) await worker.take(kick.data.ids)
    else control.log.warn({}, 'a kick of jobs could not be read')
  }
}
