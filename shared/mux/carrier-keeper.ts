/**
 * Agent: keeps a session's carriers dialled. One is lost: another at once, beside whatever else there is. None is
 * left: the path is dialled afresh until the session's grace is over (rules 20, 23, 25 and 26).
 */
import { backoffMs, redialBackoff, restartBackoff } from '../base/backoff.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { isFailure, type PortTunnelerError } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'
import { isNobodyListening } from './connect-tls.ts'
import type { Session } from './session.ts'

export type CarrierKeeperOptions = {
  readonly session: Session
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Dials one more carrier; it attaches itself to the session. */
  readonly dial: (kind: Carrier['kind'], signal: AbortSignal) => Promise<unknown>
}

/** How often the wants of the session are looked at when no event said so: suspects are found by the liveness tick. */
const tickMs = 500

export class CarrierKeeper {
  readonly #options: CarrierKeeperOptions
  readonly #abort = new AbortController()
  readonly #tick: Timer
  #retry: Timer | undefined
  #inFlight = 0
  /** Dials that were refused in a row: somebody is there and says no, so pressing on is no use. */
  #refusals = 0
  /** Dials in a row to which a machine answered that nothing listens. */
  #absences = 0
  #notBeforeMs = 0
  /** The same for dedicated carriers: what they cannot have must not keep the session from its shared one. */
  #dedicatedNotBeforeMs = 0
  #dedicatedFailures = 0
  /** When there was last one shared carrier, or a suspect one. */
  #doubtedAtMs = 0

  constructor(options: CarrierKeeperOptions) {
    this.#options = options
    this.#tick = options.clock.every(tickMs, this.#onTick, { background: true })
  }

  /** Something changed: dials what is wanted and not under way. */
  wake(): void {
    const { session } = this.#options
    if (this.#abort.signal.aborted) return
    if (this.#inFlight >= limits.dialsInFlight) return
    const healthy = healthyCarriers(session)
    // Detached, several are dialled: on a path that drops packets the first SYN is often not the one that arrives.
    if (healthy.shared === 0 && (this.#inFlight === 0 || session.carriers.size === 0))
      this.#dialInTime('shared')
    else if (
      // Whoever answers at the address of a relay that leaves may be its successor, which does not know the session.
      session.state === 'open' &&
      healthy.dedicated + this.#inFlight < session.wantedDedicated &&
      // One place is for a shared carrier; beyond its places the relay refuses.
      session.carriers.size + this.#inFlight + 1 < limits.carriersPerSession &&
      this.#options.clock.monotonic() >= this.#dedicatedNotBeforeMs
    ) {
      void this.#dial('dedicated')
      this.wake()
    }
  }

  #dialInTime(kind: Carrier['kind']): void {
    const waitMs = this.#notBeforeMs - this.#options.clock.monotonic()
    if (waitMs > 0) this.#later(waitMs)
    else void this.#dial(kind)
  }

  /** The network changed: what was refused before may be welcome now. */
  hurry(): void {
    this.#refusals = 0
    this.#absences = 0
    this.#notBeforeMs = 0
    this.#dedicatedNotBeforeMs = 0
    if (this.#inFlight < limits.dialsInFlight && !this.#abort.signal.aborted) void this.#dial('shared')
  }

  close(): void {
    this.#tick.clear()
    this.#retry?.clear()
    this.#abort.abort()
  }

  readonly #onTick = (): void => {
    this.#retire()
    this.wake()
  }

  /**
   * What is worn out is replaced; dedicated carriers that nobody wants go, and of the shared ones those that were
   * dialled beside the first while it was in doubt.
   */
  #retire(): void {
    const { session } = this.#options
    const shared = [...session.carriers].filter(({ kind, isRetiring }) => kind === 'shared' && !isRetiring)
    const now = this.#options.clock.monotonic()
    if (shared.length < 2 || shared.some(({ isSuspect }) => isSuspect)) this.#doubtedAtMs = now
    if (now - this.#doubtedAtMs >= limits.spareSharedMs)
      for (const carrier of shared.slice(1)) session.retire(carrier)
    let spare = healthyCarriers(session).dedicated - session.wantedDedicated
    for (const carrier of [...session.carriers]) {
      const isSpare = spare > 0 && carrier.kind === 'dedicated' && !carrier.isRetiring
      if (isSpare) spare -= 1
      if (isSpare || carrier.isWornOut) session.retire(carrier)
    }
  }

  #later(ms: number): void {
    this.#retry?.clear()
    this.#retry = this.#options.clock.after(ms, () => {
      this.#retry = undefined
      this.wake()
    })
  }

  async #dial(kind: Carrier['kind']): Promise<void> {
    const { session, clock, random, dial } = this.#options
    this.#inFlight += 1
    // Without an answer the next try starts half a second later, not when this one has given up.
    this.#notBeforeMs = clock.monotonic() + limits.redialSilentMs * (0.8 + 0.4 * random())
    if (session.carriers.size === 0) this.#later(this.#notBeforeMs - clock.monotonic())
    try {
      await dial(kind, this.#abort.signal)
      if (kind === 'dedicated') this.#dedicatedFailures = 0
      this.#refusals = 0
      this.#absences = 0
    } catch (error) {
      if (this.#abort.signal.aborted) return
      if (!isFailure(error)) throw error
      // A relay that leaves has it still, though its successor answers: what is there stays, suspect or not.
      if (error.key === 'session.unknown' && session.state !== 'draining') {
        session.abandon(error)
        return
      }
      const now = clock.monotonic()
      if (kind === 'dedicated')
        this.#dedicatedNotBeforeMs = now + backoffMs(redialBackoff, this.#dedicatedFailures++, random)
      else if (isRefusal(error)) this.#notBeforeMs = now + this.#refusalMs(error)
    } finally {
      this.#inFlight -= 1
    }
    this.wake()
  }

  #refusalMs(error: PortTunnelerError): number {
    if (isNobodyListening(error)) return backoffMs(restartBackoff, this.#absences++, this.#options.random)
    const { retryAfterMs } = error.fields
    const own = backoffMs(redialBackoff, this.#refusals++, this.#options.random)
    return typeof retryAfterMs === 'number' ? Math.max(own, retryAfterMs) : own
  }
}

/** Somebody answered: a REFUSE, or a machine on which nothing listens. Silence is something else. */
function isRefusal(error: PortTunnelerError): boolean {
  const isStranger = error.key === 'relay.identity' || error.key === 'relay.validity'
  return error.fields.isRefusal === true || isStranger || isNobodyListening(error)
}

function healthyCarriers(session: Session): { shared: number; dedicated: number } {
  const count = { shared: 0, dedicated: 0 }
  for (const carrier of session.carriers)
    if (!carrier.isSuspect && !carrier.isRetiring) count[carrier.kind] += 1
  return count
}
