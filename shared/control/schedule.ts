/** What has to happen now and then; called every few minutes by a timer (standalone) or a schedule (cloud). */
import { everyCell, makeCommand, publishCommands, writeCommand } from './commands.ts'
import type { Control } from './control.ts'
import { asFailure } from './failures.ts'
import { sweep } from './sweeper.ts'

/** Often enough for leases of 2 h, and for a rotation that is due to the quarter of an hour. */
export const scheduleMs = 15 * 60_000

/** Every task runs, whatever becomes of the others. @returns the names of those that failed; the log says why */
export async function runSchedule(control: Control): Promise<readonly string[]> {
  const tasks = { 'rotate keys': rotateKeys, sweep: sweepEndpoints }
  const failed: string[] = []
  for (const [task, run] of Object.entries(tasks)) {
    try {
      await run(control)
    } catch (error) {
      failed.push(task)
      control.log.error({ task, code: asFailure(error).code, error }, 'a scheduled task failed')
    }
  }
  return failed
}

async function sweepEndpoints(control: Control): Promise<void> {
  const swept = await sweep(control)
  if (swept.expired + swept.freed > 0) control.log.info(swept, 'endpoints were swept')
}

async function rotateKeys(control: Control): Promise<void> {
  const version = await control.signer.rotate()
  if (version === undefined) return
  const outgoing = makeCommand(everyCell, { kind: 'keys', version }, control.clock.now())
  await control.store.transact(async (tx) => writeCommand(tx, outgoing))
  await publishCommands(control, [outgoing])
}
