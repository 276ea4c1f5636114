/**
 * Waiting at visitor connections. Idle ones are judged in steps by what was counted anyway: no timer is touched for a
 * byte.
 */
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

/** What a visitor connection may wait for. */
export class VisitorTimers {
  /** The rest of a request head. */
  head: Timer | undefined
  /** Any byte. */
  idle: Timer | undefined
  /** The visitor's end. */
  wait: Timer | undefined

  awaitHead(clock: Clock, onLate: () => void): void {
    this.head ??= clock.after(limits.headDeadlineMs, onLate)
  }

  /** It came, or was but half an empty line. */
  forgetHead(): void {
    this.head?.clear()
    this.head = undefined
  }

  clear(): void {
    this.head?.clear()
    this.idle?.clear()
    this.wait?.clear()
  }
}
