/**
 * Tells the control plane which upstreams are out of reach, so that the console shows it too, and looks
 * whether they are back: without a health check only the next visitor would find out. Reports are few: five at once,
 * and then one a minute.
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { type ErrorKey, isFailure } from '@porttunneler/shared/base/errors'
import type { LoopbackMemory } from './dial-upstream.ts'
import type { Emit } from './events.ts'
import { probe } from './health.ts'
import type { LeaseApi } from './home.ts'
import { recovered, type Tunnel } from './tunnels.ts'

const lookMs = 1_000
const reports = { burst: 5, everyMs: 60_000 } as const
/** The maximum of one call. */
const tunnelsPerCall = 50
/** How often an upstream that was out of reach is tried. */
const againMs = 5_000
/** A connection tells whether these are over; the others only an answer. */
const tried: ReadonlySet<ErrorKey> = new Set<ErrorKey>([
  'upstream.refused',
  'upstream.timeout',
  'upstream.unreachable',
  'upstream.unknown',
  'upstream.no_socket',
  'upstream.denied',
  'upstream.resolver',
])

export type UpstreamReportsOptions = {
  readonly api: Pick<LeaseApi, 'report'>
  readonly agent: string
  readonly clock: Clock
  readonly emit: Emit
  readonly tunnels: readonly Tunnel[]
}

export class UpstreamReports {
  readonly #options: UpstreamReportsOptions
  readonly #closing = new AbortController()
  readonly #memory: LoopbackMemory = new Map()
  /** The code that the server has for the present lease; without an entry it takes the upstream for well. */
  readonly #told = new WeakMap<Tunnel, string>()
  readonly #trials = new Map<Tunnel, () => void>()
  #ticker: Timer | undefined
  /** Monotonic: the bucket of reports is full at this time. */
  #fullAtMs = Number.NEGATIVE_INFINITY
  #isCalling = false
  #isUnknown = false

  constructor(options: UpstreamReportsOptions) {
    this.#options = options
  }

  start(): void {
    this.#ticker = this.#options.clock.every(lookMs, () => this.#look(), { background: true })
  }

  /** The server has given the lease anew, and takes the upstream for well. */
  forget(tunnel: Tunnel): void {
    this.#told.delete(tunnel)
  }

  close(): void {
    this.#ticker?.clear()
    this.#closing.abort()
    for (const cancel of this.#trials.values()) cancel()
    this.#trials.clear()
  }

  #look(): void {
    for (const [tunnel, cancel] of this.#trials)
      if (!this.#needsTrial(tunnel)) {
        cancel()
        this.#trials.delete(tunnel)
      }
    for (const tunnel of this.#options.tunnels)
      if (this.#needsTrial(tunnel) && !this.#trials.has(tunnel)) this.#tryAgain(tunnel)
    void this.#report()
  }

  #needsTrial(tunnel: Tunnel): boolean {
    const { stopped, health, upstreamFailure } = tunnel
    if (!upstreamFailure || !tried.has(upstreamFailure.key) || stopped || health) return false
    return this.#options.tunnels.includes(tunnel)
  }

  /** Connects now and then, and says nothing, until it works. */
  #tryAgain(tunnel: Tunnel): void {
    const { clock, emit } = this.#options
    const check = { health: { kind: 'tcp', everyMs: againMs }, clock, memory: this.#memory } as const
    let stop: () => void = () => {}
    const timer = clock.after(
      againMs,
      () => {
        stop = probe(tunnel.wanted, check, (failure) => {
          this.#trials.delete(tunnel)
          if (!failure) recovered(tunnel, emit)
        })
      },
      { background: true },
    )
    this.#trials.set(tunnel, () => {
      timer.clear()
      stop()
    })
  }

  /** Never rejects: what is not told now is told later. */
  async #report(): Promise<void> {
    const { api, agent } = this.#options
    if (this.#isCalling || this.#isUnknown) return
    const changed = this.#changed()
    if (changed.length === 0 || !this.#mayReport()) return
    const upstreams = changed.map(({ lease, code }) => ({
      tunnel: lease.tunnel,
      epoch: lease.epoch,
      ...(code !== undefined && { code }),
    }))
    this.#isCalling = true
    try {
      await api.report({ agent, upstreams }, this.#closing.signal)
      for (const { tunnel, lease, code } of changed) {
        if (tunnel.lease?.epoch !== lease.epoch) continue
        if (code === undefined) this.#told.delete(tunnel)
        else this.#told.set(tunnel, code)
      }
    } catch (error) {
      // An older server does not know the call.
      this.#isUnknown = isFailure(error, 'api.not_found') || isFailure(error, 'api.method')
    } finally {
      this.#isCalling = false
    }
  }

  #changed() {
    return this.#options.tunnels
      .flatMap((tunnel) => {
        const { lease, stopped, bound } = tunnel
        const code = codeOf(tunnel)
        return lease && !stopped && bound.size > 0 && code !== this.#told.get(tunnel)
          ? [{ tunnel, lease, code }]
          : []
      })
      .slice(0, tunnelsPerCall)
  }

  #mayReport(): boolean {
    const now = this.#options.clock.monotonic()
    const fullAtMs = Math.max(this.#fullAtMs, now) + reports.everyMs
    if (fullAtMs - now > reports.burst * reports.everyMs) return false
    this.#fullAtMs = fullAtMs
    return true
  }
}

function codeOf({ health, upstreamFailure }: Tunnel): string | undefined {
  return (health?.failure ?? upstreamFailure)?.entry.code
}
