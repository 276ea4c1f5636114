/** Whether the look at the service (service-look.ts) still happens: the dead man's switch of the operators' alerts. */
import { codes } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { type JobDoc, jobs } from '../documents.ts'
import { jobRef } from '../jobs/jobs.ts'

export const lookName = 'service.look'
export const lookEveryMs = 5 * 60_000
/** The line that each look leaves in the log; in the cloud an alert waits for its absence (cdktf/alerts.ts). */
export const lookedText = 'the service was looked at'
/** Two looks may be missed by an update; a third one in a row is not there. */
const silentMs = 2 * lookEveryMs

/** When the service was last looked at, and what is wrong with the looking; for pages and figures. */
export async function readSignOfLife({
  store,
  clock,
}: Pick<Control, 'store' | 'clock'>): Promise<{ readonly isSilent: boolean; readonly code: string }> {
  const job = (await store.get(jobs.ref(jobRef(lookName, 'all').id)))?.data
  return { isSilent: isSilent(job, clock.now()), code: job?.error || codes['alert.silent'].code }
}

function isSilent(job: JobDoc | undefined, nowMs: number): boolean {
  if (job === undefined) return true
  // One try may fail by itself; the next comes within seconds.
  return (job.error !== '' && job.attempts > 1) || nowMs - job.dueAt > silentMs
}
