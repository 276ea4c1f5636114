/** Idle connections, judged in steps by what was counted anyway: no timer is touched for a byte. Used by visitor.ts. */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { limits } from '@porttunneler/shared/protocol/limits'

const steps = 4

/** Calls `onIdle` once `progress` has stood still for `limits.httpIdleMs` (up to a quarter more); goes on until cleared. */
export function watchIdle(clock: Clock, progress: () => number, onIdle: () => void): Timer {
  let last = -1
  let still = 0
  return clock.every(limits.httpIdleMs / steps, () => {
    const now = progress()
    still = now === last ? still + 1 : 0
    last = now
    if (still >= steps) onIdle()
  })
}
