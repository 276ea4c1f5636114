/**
 * Agent: the connection on which a relay said that it does not know the session. It waits here for the HELLO of a new
 * session: so agents of a restarted relay come back with one TLS handshake each, not two.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import type { FreshCarrier } from './fresh-carrier.ts'

/** The next session begins at once; a relay waits longer for its HELLO. */
const keptMs = 1_000

/** For one agent at one relay; at most one connection. */
export class Spare {
  readonly #clock: Clock
  #kept: FreshCarrier | undefined
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  keep(fresh: FreshCarrier): void {
    this.drop()
    this.#kept = fresh
    this.#timer = this.#clock.after(keptMs, () => this.drop(), { background: true })
  }

  /** The connection, if there is one and it lives; it then belongs to the caller. */
  take(): FreshCarrier | undefined {
    const kept = this.#kept
    this.#timer?.clear()
    this.#kept = undefined
    return kept?.carrier.isLost ? undefined : kept
  }

  drop(): void {
    this.take()?.carrier.lose(fail('session.closed'))
  }
}
