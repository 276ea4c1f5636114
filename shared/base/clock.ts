/**
 * The only place that reads time. Everything that waits or compares times takes a `Clock`, so tests move it by hand.
 * `now` is wall time (ms since the epoch) and may jump; `monotonic` (ms) never goes back and is what timers follow.
 */
export interface Clock {
  now(): number
  monotonic(): number
  /** Runs `fn` once after `ms`, or after 24 days if that is sooner. The timer keeps the process alive unless `background` is set. */
  after(ms: number, fn: () => void, options?: { background?: boolean }): Timer
  /** Runs `fn` every `ms` until cleared. */
  every(ms: number, fn: () => void, options?: { background?: boolean }): Timer
}

export interface Timer {
  clear(): void
}

/** Node's timers run at once if they are to wait for longer, and a loop of waits would keep a core busy. */
const timerMsMax = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn, { background = false } = {}) {
    const timer = setTimeout(fn, Math.min(ms, timerMsMax))
    if (background) timer.unref()
    return { clear: () => clearTimeout(timer) }
  },
  every(ms, fn, { background = false } = {}) {
    const timer = setInterval(fn, Math.min(ms, timerMsMax))
    if (background) timer.unref()
    return { clear: () => clearInterval(timer) }
  },
}

/** Resolves after `ms`; rejects with the signal's reason when aborted first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      timer.clear()
      reject(signal?.reason)
    }
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
