/**
 * Remembers what Firebase said about accounts, so that a request needs no call of its own. A state is fetched again
 * after five minutes; while Firebase does not answer the last one counts for an hour, as long as an ID token lives
 * anyway. A person without a known state is refused until Firebase answers.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import type { AccountState, FirebaseAccounts } from './firebase-accounts.ts'

export const stateMs = 300_000
const staleMs = 3_600_000
/** After a failed call the next one waits this long, or every request would wait for the deadline. */
const pauseMs = 30_000
const statesMax = 10_000

type Known = { readonly state: AccountState; readonly readAt: number; askAfter: number }

export class AccountStates {
  readonly #accounts: FirebaseAccounts
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()
  /** Running calls: a loading page asks several times at once. */
  readonly #reading = new Map<string, Promise<AccountState | undefined>>()

  constructor(accounts: FirebaseAccounts, clock: Clock) {
    this.#accounts = accounts
    this.#clock = clock
  }

  /** undefined when there is no such account. @throws cloud.unavailable */
  async read(uid: string): Promise<AccountState | undefined> {
    const now = this.#clock.monotonic()
    const known = this.#known.get(uid)
    if (known && now < known.askAfter) return known.state
    try {
      return await this.#readOnce(uid)
    } catch (error) {
      if (!isFailure(error, 'cloud.unavailable') || !known || now > known.readAt + staleMs) throw error
      known.askAfter = now + pauseMs
      return known.state
    }
  }

  async #readOnce(uid: string): Promise<AccountState | undefined> {
    let reading = this.#reading.get(uid)
    if (!reading) {
      reading = this.#accounts.read(uid).finally(() => this.#reading.delete(uid))
      this.#reading.set(uid, reading)
      this.#keep(uid, await reading)
    }
    return reading
  }

  #keep(uid: string, state: AccountState | undefined): void {
    this.#known.delete(uid)
    if (!state) return
    const [oldest] = this.#known.keys()
    if (this.#known.size >= statesMax && oldest !== undefined) this.#known.delete(oldest)
    const readAt = this.#clock.monotonic()
    this.#known.set(uid, { state, readAt, askAfter: readAt + stateMs })
  }
}
