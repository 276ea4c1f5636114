/** A deadline for SDK calls that take no AbortSignal. The call itself may go on; nobody waits for it. */
import type { Clock } from '@porttunneler/shared/base/clock'

/** Rejects with an Error after `ms`. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = clock.after(ms, () => late.reject(new Error(`no answer within ${ms} ms`)), {
    background: true,
  })
  try {
    return await Promise.race([work, late.promise])
  } finally {
    timer.clear()
  }
}
