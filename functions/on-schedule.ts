/**
 * `onSchedule`: the regular housekeeping, called by Cloud Scheduler every 15 minutes (`scheduleMs`) with a token of its
 * own service account; nobody else may invoke it. Two at once do no harm: every task decides in a transaction.
 */
import { fail } from '@porttunneler/shared/base/errors'
import type { Control } from '@porttunneler/shared/control/control'
import { runSchedule } from '@porttunneler/shared/control/schedule'
import { answering, type Fetch } from './answers.ts'

/** Answers 204, or 500 with the names of the tasks that failed: Cloud Scheduler then shows a failed run. */
export function scheduleFunction(control: Control): Fetch {
  const { log, settings } = control
  return answering(
    async () => {
      const failed = await runSchedule(control)
      if (failed.length > 0) throw fail('schedule.failed', `These tasks failed: ${failed.join(', ')}.`)
      return new Response(null, { status: 204 })
    },
    { log, docsUrl: settings.docsUrl },
  )
}
