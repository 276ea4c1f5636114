/**
 * Exact limits, counted in the store, only where they protect accounts; the API's own limits are counted in each
 * process.
 */
import { type ErrorKey, fail } from '../base/errors.ts'
import { hashSecret } from '../base/ids.ts'
import type { Control } from './control.ts'
import { rates } from './documents.ts'

export type RateLimit = { readonly scope: string; readonly max: number; readonly windowMs: number }

/**
 * Counts one event of `subject`.
 * @returns a function that takes it back, for an event that should not count
 * @throws the given code, with `retryAfterMs`, when the window is used up
 */
export async function countEvent(
  control: Pick<Control, 'store' | 'clock'>,
  { scope, max, windowMs }: RateLimit,
  { subject, key }: { subject: string; key: ErrorKey },
): Promise<() => Promise<void>> {
  const nowMs = control.clock.now()
  const window = Math.floor(nowMs / windowMs)
  const endsAt = (window + 1) * windowMs
  const ref = rates.ref(`${scope}:${hashSecret(subject).slice(0, 32)}:${window}`)
  const after = await control.store.change(ref, (current) =>
    (current?.count ?? 0) > max ? 'keep' : { count: (current?.count ?? 0) + 1, ttl: new Date(endsAt) },
  )
  if ((after?.count ?? 0) > max) throw fail(key, undefined, { fields: { retryAfterMs: endsAt - nowMs } })
  return async () => {
    await control.store.change(ref, (current) =>
      current ? { ...current, count: Math.max(0, current.count - 1) } : 'keep',
    )
  }
}
