/**
 * One tick every 500 ms judges all carriers of a process by the monotonic clock (wire protocol, rules 23 and 24).
 * A silent path is noticed within 10 s at both ends; a stall of our own never condemns anybody.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'

/** Idle time that a carrier has left after a stall of this process: enough to read the bytes in the kernel. */
const idleAfterStallMs = 7_000
/** A PING may go unanswered this long beyond four round trips before the path is suspect (rule 23). */
const suspectBaseMs = 1_000
/** A busy carrier is asked too, so that its round trip stays known. */
const pingAtLeastEveryMs = 10_000

export class Liveness {
  readonly #clock: Clock
  readonly #pingAfterMs: number
  readonly #carriers = new Set<Carrier>()
  #timer: Timer | undefined
  #tickedAtMs = 0

  constructor({ clock, side }: { clock: Clock; side: 'relay' | 'agent' }) {
    this.#clock = clock
    this.#pingAfterMs = side === 'agent' ? limits.pingAgentMs : limits.pingRelayMs
  }

  add(carrier: Carrier): void {
    this.#carriers.add(carrier)
    if (this.#timer) return
    this.#tickedAtMs = this.#clock.monotonic()
    this.#timer = this.#clock.every(limits.livenessTickMs, this.#tick, { background: true })
  }

  remove(carrier: Carrier): void {
    this.#carriers.delete(carrier)
    if (this.#carriers.size > 0) return
    this.#timer?.clear()
    this.#timer = undefined
  }

  /**
   * Asks a carrier now; without an answer within 1.5 s it is lost (rule 25). A carrier whose own address the machine no
   * longer has is lost already: its streams need not wait for an answer that cannot come.
   */
  probe(carrier: Carrier, gone?: ReadonlySet<string>): void {
    if (carrier.localAddress !== undefined && gone?.has(carrier.localAddress)) {
      carrier.lose(fail('carrier.lost', 'The network that it went through is gone.'))
      return
    }
    carrier.ping()
    const { pulse } = carrier
    const { askedAtMs } = pulse
    const judge = () => {
      if (pulse.isAwaited && pulse.heardAtMs <= askedAtMs)
        carrier.lose(fail('carrier.lost', 'The path did not answer after the network changed.'))
    }
    this.#clock.after(limits.probeMs, judge, { background: true })
  }

  readonly #tick = (): void => {
    const now = this.#clock.monotonic()
    const isStall = now - this.#tickedAtMs > limits.livenessTickMs + limits.stallMs
    this.#tickedAtMs = now
    for (const carrier of this.#carriers) {
      if (isStall) {
        carrier.pulse.forgive(now - idleAfterStallMs)
        carrier.ping()
      } else this.#judge(carrier, now)
    }
  }

  #judge(carrier: Carrier, now: number): void {
    const { pulse } = carrier
    const idleMs = now - pulse.heardAtMs
    const sincePingMs = now - pulse.askedAtMs
    const answerMs = suspectBaseMs + 4 * (pulse.rttMs ?? 0)
    // On a carrier of its own an elephant may have seconds of its own bytes ahead of a PING.
    const isSlow = carrier.kind === 'shared' && pulse.isAwaited && sincePingMs >= answerMs
    pulse.suspect(idleMs >= limits.suspectMs || isSlow)
    if (idleMs >= limits.lostMs) carrier.lose(fail('carrier.lost', 'The other side has been silent for 9 s.'))
    else if (idleMs >= this.#pingAfterMs && sincePingMs >= this.#pingAfterMs) carrier.ping()
    else if (sincePingMs >= pingAtLeastEveryMs) carrier.ping()
  }
}
