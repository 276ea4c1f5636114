/**
 * Queues the claims of one account in this process: one transaction at a time, with as many claims as fit. All of them
 * change the account's quota, so side by side they would only overtake each other: 300 agents that start together would
 * not be done in ten seconds.
 */
import { fail } from '../base/errors.ts'
import type { Attempt } from './claim-attempt.ts'
import { type AttemptResult, claimTogether, leastWeightOf } from './claim-transaction.ts'
import { publishCommands } from './commands.ts'
import type { Control } from './control.ts'
import { asFailure } from './failures.ts'
import { storeLimits } from './store-rules.ts'

/** After this wait it is better to ask again, perhaps in a less busy process. */
const waitMs = 8_000
/** Leaves time to try the halves of a group. */
const groupMs = 3_000
/** With less time left, a try would only fail, and with it all claims beside it. */
const tryMsMin = 1_000
const retryMs = { min: 1_000, max: 5_000 } as const

type Waiting = {
  readonly attempt: Attempt
  /** Monotonic time. */
  readonly until: number
  readonly resolve: (result: AttemptResult) => void
  readonly reject: (error: Error) => void
}

/** One lane for each account; idle ones are forgotten. */
export class ClaimLanes {
  readonly #lanes = new Map<string, Lane>()

  /** @throws lease.busy after 8 s from `since`, and the store's errors */
  claim(
    control: Control,
    account: string,
    { attempt, since }: { readonly attempt: Attempt; readonly since: number },
  ): Promise<AttemptResult> {
    let lane = this.#lanes.get(account)
    if (!lane) {
      lane = new Lane(control, account, () => this.#lanes.delete(account))
      this.#lanes.set(account, lane)
    }
    return lane.claim(attempt, since + waitMs)
  }
}

class Lane {
  readonly #control: Control
  readonly #account: string
  readonly #onIdle: () => void
  readonly #waiting: Waiting[] = []
  #isRunning = false

  constructor(control: Control, account: string, onIdle: () => void) {
    this.#control = control
    this.#account = account
    this.#onIdle = onIdle
  }

  claim(attempt: Attempt, until: number): Promise<AttemptResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ attempt, until, resolve, reject })
      if (!this.#isRunning) void this.#drain()
    })
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    this.#isRunning = true
    // Take claims that arrive in the same tick together.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#run(this.#next())
    this.#isRunning = false
    this.#onIdle()
  }

  /** Takes from the front. A claim that takes over or displaces goes alone, since it ends leases of others. */
  #next(): readonly Waiting[] {
    const group: Waiting[] = []
    // 1 for the quota.
    let weight = 1
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      weight += leastWeightOf(next.attempt)
      const goesAlone = next.attempt.context.takeover || next.attempt.displaced.length > 0
      if (group.length > 0 && (goesAlone || weight > storeLimits.transactionDocuments)) break
      group.push(next)
      this.#waiting.shift()
      if (goesAlone) break
    }
    return group
  }

  async #run(group: readonly Waiting[]): Promise<void> {
    const now = this.#control.clock.monotonic()
    const live = group.filter(({ until }) => until > now)
    for (const { until, reject } of group) if (until <= now) reject(this.#busy())
    if (live.length === 0) return
    try {
      await this.#try(live, now)
    } catch (error) {
      const middle = Math.ceil(live.length / 2)
      // One claim may spoil it for all, so try the halves. One by one they would race the other processes far more
      // often.
      if (live.length > 1)
        for (const half of [live.slice(0, middle), live.slice(middle)]) await this.#run(half)
      else live[0]?.reject(this.#explain(error))
    }
  }

  async #try(live: readonly Waiting[], now: number): Promise<void> {
    const attempts = live.map(({ attempt }) => attempt)
    const untilMs = Math.max(tryMsMin, Math.min(...live.map(({ until }) => until)) - now)
    const deadlineMs = live.length > 1 ? Math.min(groupMs, untilMs) : untilMs
    const { results, commands } = await claimTogether(this.#control, this.#account, { attempts, deadlineMs })
    // The next claims need not wait for the bus.
    const published = publishCommands(this.#control, commands)
    for (const [index, waiting] of live.entries()) {
      const result = results[index]
      if (!result) waiting.reject(new Error('a claim came back without a result'))
      else if (result.kind === 'again' && live.length > 1) this.#waiting.push(waiting)
      else void published.then(() => waiting.resolve(result))
    }
  }

  #explain(error: unknown): Error {
    const failure = asFailure(error)
    return failure.key === 'store.contention' ? this.#busy() : failure
  }

  #busy(): Error {
    const retryAfterMs = Math.round(retryMs.min + (retryMs.max - retryMs.min) * this.#control.random())
    return fail('lease.busy', undefined, { fields: { retryAfterMs } })
  }
}
