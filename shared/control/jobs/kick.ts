/**
 * Tells workers about jobs that have just been committed, so that they need not look for them. This only makes it
 * faster: the next round finds a job whose kick was lost.
 */
import { z } from 'zod'
import type { Control } from '../control.ts'
import { asFailure } from '../failures.ts'
import { topics } from '../names.ts'
import { look, type Wish } from './jobs.ts'

/** Ids in one message. */
const idsMax = 100
export const kickSchema = z.object({ ids: z.array(z.string().max(128)).max(idsMax) })

export async function kick(
  { bus, log }: Pick<Control, 'bus' | 'log'>,
  ids: readonly string[],
): Promise<void> {
  for (let start = 0; start < ids.length; start += idsMax)
    try {
      await bus.publish(topics.jobs, { ids: ids.slice(start, start + idsMax) })
    } catch (error) {
      log.warn(
        { code: asFailure(error).code, error },
        'jobs wait for the next round because the bus refused them',
      )
    }
}

/** Runs a job now that usually runs by itself later. */
export async function requestJob(control: Control, wish: Wish): Promise<void> {
  const job = await control.store.transact(async (tx) => (await look(tx, wish, control.clock.now()))())
  await kick(control, [job])
}
