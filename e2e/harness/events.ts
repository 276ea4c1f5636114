/** Waits for events instead of a span of time: logs of events, and conditions that are checked repeatedly. */
import { type Clock, systemClock, type Timer } from '@porttunneler/shared/base/clock'

/** How long a test waits for something that should happen soon: also where a start of a second takes half a minute. */
export const patienceMs = 60_000

type Waiter<T> = { readonly matches: (item: T) => boolean; readonly found: (item: T) => void }

/** All events so far, and a way to wait for the next. */
export class EventLog<T> {
  readonly #items: T[] = []
  readonly #waiters = new Set<Waiter<T>>()
  readonly #readers = new Set<(item: T) => void>()

  get items(): readonly T[] {
    return this.#items
  }

  push(item: T): void {
    this.#items.push(item)
    for (const reader of this.#readers) reader(item)
    for (const waiter of [...this.#waiters]) if (waiter.matches(item)) waiter.found(item)
  }

  /** `reader` gets every item; past items at once. */
  subscribe(reader: (item: T) => void): void {
    for (const item of this.#items) reader(item)
    this.#readers.add(reader)
  }

  /**
   * The first item that matches, past or future.
   * @param from index of the first item that counts: `items.length` taken earlier means "from then on"
   */
  waitFor<S extends T>(
    matches: ((item: T) => item is S) | ((item: T) => boolean),
    { what, from = 0, deadlineMs = patienceMs }: { what: string; from?: number; deadlineMs?: number },
  ): Promise<S> {
    const past = this.#items.slice(from).find(matches)
    if (past !== undefined) return Promise.resolve(past as S)
    return new Promise((resolve, reject) => {
      const timer = systemClock.after(deadlineMs, () => {
        this.#waiters.delete(waiter)
        const said = this.#items.slice(-20).map((item) => `  ${JSON.stringify(item)}`)
        reject(new Error(`no ${what} within ${deadlineMs} ms; the last that was heard:\n${said.join('\n')}`))
      })
      const waiter: Waiter<T> = {
        matches,
        found: (item) => {
          this.#waiters.delete(waiter)
          timer.clear()
          resolve(item as S)
        },
      }
      this.#waiters.add(waiter)
    })
  }
}

/** Between two questions of `eventually`, ms: soon for a test that waits, and not a load for what it waits for. */
const pauseMsMin = 50
/** An answer that took long, such as a program that was started for it, is asked for again after as long a pause. */
const pauseMsMax = 1_000

/**
 * Asks until the answer is neither undefined nor a failure, at least once. The pauses are as long as the answers take,
 * within bounds, so a wait never takes more than half of a core from what it waits for. After the deadline it rejects
 * with the last failure.
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  deadlineMs: number = patienceMs,
): Promise<T> {
  const endMs = systemClock.monotonic() + deadlineMs
  let reason: unknown = 'it was never so'
  do {
    const askedMs = systemClock.monotonic()
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
    } catch (error) {
      reason = error
    }
    const tookMs = systemClock.monotonic() - askedMs
    await pause(systemClock, Math.min(Math.max(tookMs, pauseMsMin), pauseMsMax))
  } while (systemClock.monotonic() < endMs)
  throw new Error(`${what}: not within ${deadlineMs} ms`, { cause: reason })
}

/** Rejects when `promise` takes longer. */
export function within<T>(promise: Promise<T>, what: string, deadlineMs: number = patienceMs): Promise<T> {
  let timer: Timer | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = systemClock.after(deadlineMs, () => reject(new Error(`${what}: not within ${deadlineMs} ms`)))
  })
  return Promise.race([promise, late]).finally(() => timer?.clear())
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve)
  })
}
