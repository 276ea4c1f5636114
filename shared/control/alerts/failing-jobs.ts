/** A job that repeats for ever and fails each time: nothing ever gives it up, so its operators have to hear of it. */
import { codes } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import type { JobDoc } from '../documents.ts'
import type { Snapshot } from '../platform.ts'
import { lookToRaise } from './raising.ts'
import type { Found } from './sense.ts'

/** Tries in a row, with pauses of 5 s that double: about five minutes of trouble. */
const failingAfter = 6

/** @returns what is wrong with it, if it has failed for long enough */
export function failingJob({ ref, data }: Snapshot<JobDoc>): readonly Found[] {
  if (data.error === '' || data.attempts < failingAfter) return []
  const { cause, cure, code } = codes['alert.job_failing']
  const subject = ref.id.slice(0, ref.id.indexOf(':'))
  const name = `${subject} by ${data.error}`
  return [{ kind: 'job.failing', subject, name, cause, cure, code }]
}

/** Called after each failed try of such a job. Whether it has ended is seen by the look (service-look.ts). */
export async function raiseFailingJob(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  job: Snapshot<JobDoc>,
): Promise<void> {
  const [found] = failingJob(job)
  if (!found) return
  const { kind, subject, ...words } = found
  const nowMs = clock.now()
  const trouble = { since: nowMs, ...words }
  await store.transact(async (tx) => {
    const put = await lookToRaise(tx, { account: '', kind, subject }, { trouble, nowMs })
    put()
  })
}
