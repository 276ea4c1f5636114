/** Counts wrong passwords by network, so that guessing is slow. One object for each tunnel. */
import { isIPv6 } from 'node:net'
import { sourceNetwork } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'

/** A person who mistypes needs a few; at this rate a list of the 10,000 usual passwords takes most of a day. */
const guessesMax = 10
const windowMs = 60_000
/** Networks remembered; the oldest is forgotten first. 10,000 take about 1 MB. */
const networksMax = 10_000

export class Guesses {
  readonly #clock: Clock
  readonly #networks = new Map<string, { wrong: number; readonly untilMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Seconds until a password from there is checked again; 0: now. */
  waitSeconds(address: string): number {
    const entry = this.#networks.get(networkOf(address))
    if (!entry || entry.wrong < guessesMax) return 0
    return Math.max(0, Math.ceil((entry.untilMs - this.#clock.monotonic()) / 1_000))
  }

  /** A wrong password came from there. */
  count(address: string): void {
    const network = networkOf(address)
    const now = this.#clock.monotonic()
    const entry = this.#networks.get(network)
    if (entry && now < entry.untilMs) {
      entry.wrong += 1
      return
    }
    this.#networks.delete(network)
    if (this.#networks.size >= networksMax) {
      const [oldest] = this.#networks.keys()
      if (oldest !== undefined) this.#networks.delete(oldest)
    }
    this.#networks.set(network, { wrong: 1, untilMs: now + windowMs })
  }
}

/** The address, or the /64 of an IPv6 one, which is what one household gets. */
function networkOf(address: string): string {
  return isIPv6(address) ? sourceNetwork(address) : address
}
