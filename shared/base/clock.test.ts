import { expect, test } from 'vitest'
import { sleep, systemClock } from './clock.ts'

test.each([2 ** 31, 2 ** 40, Number.POSITIVE_INFINITY])(
  'a wait of %d ms does not end at once',
  async (ms) => {
    let isOver = false
    const end = () => {
      isOver = true
    }
    const timers = [systemClock.after(ms, end), systemClock.every(ms, end)]
    // Node keeps the order of timers: one of a millisecond would have run before.
    await sleep(systemClock, 5)
    expect(isOver).toBe(false)
    for (const timer of timers) timer.clear()
  },
)
