/**
 * Agent: keeps a session's carriers dialled. When one is lost, another is dialled at once, whatever else there is. When
 * none is left, the path is dialled again and again until the session's grace is over (rules 20, 23, 25 and 26).
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

/** How often it checks without an event, because none tells when the liveness tick finds a suspect. */
const tickMs = 500

export class CarrierKeeper {
  readonly #options: CarrierKeeperOptions
  readonly #abort = new AbortController()
  readonly #tick: Timer
  #retry: Timer | undefined
  #inFlight = 0
  /** Dials refused in a row: somebody is there and refuses, so more dials are no use. */
  #refusals = 0
  /** Dials in a row where a machine answered that nothing listens. */
  #absences = 0
  #notBeforeMs = 0
  /** `#notBeforeMs` of dedicated carriers: a refusal of them must not keep the session from its shared one. */
  #dedicatedNotBeforeMs = 0
  #dedicatedFailures = 0
  /** When there was last only one shared carrier, or a suspect one. */
  #doubtedAtMs = 0

  constructor(options: CarrierKeeperOptions) {
    this.#options = options
    this.#tick = options.clock.every(tickMs, this.#onTick, { background: true })
  }

  /** Call it when something changed: dials what is wanted and not being dialled. */
  wake(): void {
    const { session } = this.#options
    if (this.#abort.signal.aborted) return
    if (this.#inFlight >= limits.dialsInFlight) return
    const healthy = healthyCarriers(session)
    // While detached, several are dialled: on a path that drops packets the first SYN is often not the one that
    // arrives.
    if (healthy.shared === 0 && (this.#inFlight === 0 || session.carriers.size === 0))
      this.#dialInTime('shared')
    else if (
      // The process at the address of a leaving relay may be its successor, which does not know the session.
      session.state === 'open' &&
      healthy.dedicated + this.#inFlight < session.wantedDedicated &&
      // One place is kept for a shared carrier; the relay refuses carriers beyond the limit.
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

  /** The network changed: a refused dial may succeed now. */
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
   * Replaces worn-out carriers. Dedicated carriers that nobody wants are closed, and so are shared ones that were
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
    // Without an answer the next try starts half a second later, not when this one has timed out.
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
      // The successor of a relay answers at the same address, at first before the agent is told of it. A carrier that
      // lives, suspect or not, leads to the relay that has the session.
      if (error.key === 'session.unknown' && session.carriers.size === 0) {
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

/** Whether somebody answered: a REFUSE, or a machine on which nothing listens. Silence is different. */
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
