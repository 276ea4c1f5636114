/**
 * Keeps one session to one relay: dials, binds every tunnel, and dials again for ever when the session is lost. When
 * the relay drains, the old session still carries its streams while a new one is dialled beside it; if a successor is
 * already there, the old one serves each tunnel until the new one does. Wire protocol, rule 26: every 100 ms for 5 s
 * while nothing listens there; after a refusal 3 x 200 ms, then 1 to 20 s with jitter; a delay that the relay asks for
 * is obeyed.
 */
import type { RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import { backoffMs, redialBackoff, restartBackoff } from '@porttunneler/shared/base/backoff'
import type { Timer } from '@porttunneler/shared/base/clock'
import {
  type ErrorKey,
  fail,
  isFailure,
  keyOfCode,
  type PortTunnelerError,
} from '@porttunneler/shared/base/errors'
import { isNobodyListening } from '@porttunneler/shared/mux/connect-tls'
import { Spare } from '@porttunneler/shared/mux/spare'
import { limits } from '@porttunneler/shared/protocol/limits'
import { problemOf, type RelayStatus } from './events.ts'
import { failureOf, isOfProxy } from './relay-failures.ts'
import type { AgentSession, AgentSessionEvents, RelayRunnerOptions } from './relay-runner-options.ts'

/** A draining session; visitors of the tunnels it `serves` come only through it. */
type Outgoing = { readonly session: AgentSession; readonly serves: Set<number>; readonly timers: Timer[] }

/**
 * The successor may have sent a visitor to the old relay just before it had the tunnel itself, and waits a second for
 * the answer (relay-vm/siblings.ts).
 */
const lingerMs = 2_000
/** By then a proxy that refuses has said so; otherwise the loss is reported as what it is. */
const untoldMs = 2_000
/** A session that lived this long was a good one: the next loss restarts the back-off. */
const settledMs = 10_000

export class RelayRunner {
  readonly instance: string
  #address: RelayAddress
  readonly #options: RelayRunnerOptions
  #current: AgentSession | undefined
  readonly #draining = new Set<AgentSession>()
  #outgoing: Outgoing | undefined
  readonly #spare: Spare
  /** Bindings requested in the current session, granted or not. */
  readonly #asked = new Set<number>()
  #attempt = 0
  /** Dials in a row to which a machine answered that nothing listens. */
  #absences = 0
  #timer: Timer | undefined
  #dialling: AbortController | undefined
  #failure: PortTunnelerError | undefined
  #isClosed = false
  /** The session lives on without a connection, and dials by itself. */
  #isDetached = false
  /** When this is over the detachment is reported, unless a dial gives the reason before. */
  #untold: Timer | undefined

  constructor(address: RelayAddress, options: RelayRunnerOptions) {
    this.instance = address.instance
    this.#address = address
    this.#options = options
    this.#spare = new Spare(options.clock)
  }

  /** Dials unless there is already a session, a dial or a wait. */
  start(): void {
    if (this.#current || this.#dialling || this.#timer || this.#isClosed) return
    void this.#dial()
  }

  /** The directory's address for this relay, used from the next dial on. */
  readdress(address: RelayAddress): void {
    const isAnother = address.certificate !== this.#address.certificate
    this.#address = address
    // A process keeps its certificate, so the one that knows the session is gone: redialling it would be in vain.
    if (isAnother && this.#isDetached) this.#current?.close('session.unknown')
  }

  /** Binds, or shows the relay a newer ticket for a binding. Without a session, the next one binds by itself. */
  bind(bind: number, ticket: string): void {
    if (!this.#current) {
      this.start()
      return
    }
    this.#asked.add(bind)
    this.#current.bind(bind, ticket)
  }

  unbind(bind: number): void {
    if (this.#asked.delete(bind)) this.#current?.unbind(bind)
    this.#outgoing?.serves.delete(bind)
    this.#outgoing?.session.unbind(bind)
  }

  get isConnected(): boolean {
    return this.#current !== undefined && !this.#isDetached
  }

  get activeStreams(): number {
    let count = this.#current?.activeStreams ?? 0
    for (const session of this.#draining) count += session.activeStreams
    return count
  }

  status(): RelayStatus {
    const rttMs = this.#current?.rttMs
    return {
      instance: this.instance,
      state: this.#state,
      ...(rttMs !== undefined && { rttMs }),
      ...(this.#failure && { problem: problemOf(this.#failure) }),
    }
  }

  /** The machine's network or clock changed: living connections must prove themselves, others are dialled now. */
  probe(gone: ReadonlySet<string>): void {
    this.#current?.probe(gone)
    if (this.#current || this.#dialling || !this.#timer || this.#isClosed) return
    this.#timer.clear()
    this.#timer = undefined
    this.#attempt = 0
    this.start()
  }

  get #state(): RelayStatus['state'] {
    if (this.#current) return this.#isDetached ? 'connecting' : 'connected'
    return this.#dialling ? 'connecting' : 'waiting'
  }

  close(key: ErrorKey): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer?.clear()
    this.#hush()
    this.#dialling?.abort()
    this.#spare.drop()
    for (const session of this.#draining) session.close(key)
    this.#current?.close(key)
  }

  async #dial(): Promise<void> {
    const tickets = this.#options.tickets()
    const [ticket] = tickets.values()
    if (ticket === undefined) return
    const dialling = new AbortController()
    this.#dialling = dialling
    // Handlers may run before the promise of the dial resolves: they find their session here.
    const holder: { session?: AgentSession; closed?: PortTunnelerError } = {}
    try {
      const session = await this.#options.dial(this.#address, {
        ticket,
        events: this.#events(holder),
        signal: dialling.signal,
        spare: this.#spare,
      })
      this.#dialling = undefined
      if (this.#isClosed) return session.close('session.closed')
      if (holder.closed) throw holder.closed
      if (session.state !== 'open') {
        session.close('session.closed')
        throw fail('relay.draining')
      }
      holder.session = session
      this.#welcome(session)
    } catch (error) {
      this.#dialling = undefined
      if (this.#isClosed) return
      const failure = isFailure(error) ? error : fail('carrier.lost', undefined, { cause: error })
      this.#retry(failure, this.#delay(failure))
    }
  }

  #welcome(session: AgentSession): void {
    this.#current = session
    this.#failure = undefined
    this.#absences = 0
    this.#timer = this.#options.clock.after(
      settledMs,
      () => {
        this.#timer = undefined
        this.#attempt = 0
      },
      { background: true },
    )
    this.#options.onConnected(this.instance)
    for (const [bind, ticket] of this.#options.tickets()) this.bind(bind, ticket)
  }

  #events(holder: { session?: AgentSession; closed?: PortTunnelerError }): AgentSessionEvents {
    const isCurrent = () => holder.session !== undefined && this.#current === holder.session
    const isOutgoing = () => holder.session !== undefined && this.#outgoing?.session === holder.session
    return {
      onOpen: (stream, info) => this.#options.onOpen(stream, info),
      onBound: (bind) => {
        if (!isCurrent() || !this.#asked.has(bind)) return
        this.#takeOver(bind, lingerMs)
        this.#options.onBound(this.instance, bind)
      },
      onUnbound: (bind, code, message) => {
        const wasServing = isOutgoing() && this.#outgoing?.serves.delete(bind)
        if (!wasServing && !(isCurrent() && this.#asked.delete(bind))) return
        this.#takeOver(bind)
        this.#options.onUnbound(this.instance, bind, failureOf(code, message))
      },
      onGoAway: (code, _graceMs, redialMs) => {
        const isReplaced = keyOfCode(code) === 'relay.replaced'
        if (isOutgoing() && !isReplaced) this.#endOutgoing()
        if (!isCurrent() || !holder.session) return
        this.#draining.add(holder.session)
        if (isReplaced) this.#move(holder.session, redialMs)
        else this.#leave(failureOf(code, undefined), redialMs)
      },
      onNotice: (code, text) => this.#options.onNotice(this.instance, code, text),
      onDetached: () => {
        // It may come back through its successor; what it was told meanwhile, it says then.
        if (isOutgoing()) this.#tellUnserved()
        if (!isCurrent()) return
        this.#isDetached = true
        this.#failure = fail('carrier.lost')
        for (const bind of this.#asked) this.#options.onUnbound(this.instance, bind)
        const tell = () => this.#tellDetached(this.#failure ?? fail('carrier.lost'))
        if (this.#options.isProxied?.()) this.#untold = this.#options.clock.after(untoldMs, tell)
        else tell()
      },
      onDialFailed: (failure) => {
        if (!isCurrent() || !this.#isDetached || !isOfProxy(failure)) return
        const isNew = this.#untold !== undefined || this.#failure?.key !== failure.key
        this.#failure = failure
        this.#tellDetached(failure, isNew)
      },
      onAttached: () => {
        if (!isCurrent() || !this.#isDetached) return
        if (this.#untold) this.#tellDetached(fail('carrier.lost'))
        this.#isDetached = false
        this.#failure = undefined
        // The session requests its bindings again by itself; each answer says online.
        this.#options.onConnected(this.instance)
      },
      onClosed: (reason) => {
        holder.closed = reason
        if (isOutgoing()) this.#endOutgoing()
        if (!holder.session || this.#draining.delete(holder.session) || !isCurrent()) return
        const why = this.#isDetached && isOfProxy(this.#failure) ? this.#failure : reason
        // A restarted relay has just answered: it is there, and waits for a session to begin.
        this.#leave(why, reason.key === 'session.unknown' ? 0 : this.#delay(reason))
      },
    }
  }

  /** The session has no connection; it dials by itself. */
  #tellDetached(failure: PortTunnelerError, isNew = true): void {
    this.#hush()
    this.#options.onLost(this.instance, { failure, retryInMs: limits.redialSilentMs, isNew })
  }

  /** @returns whether a loss was not yet reported */
  #hush(): boolean {
    const wasUntold = this.#untold !== undefined
    this.#untold?.clear()
    this.#untold = undefined
    return wasUntold
  }

  /** Its successor is there: the current session serves until that one does. */
  #move(session: AgentSession, redialMs: number): void {
    this.#endOutgoing()
    this.#outgoing = { session, serves: new Set(this.#asked), timers: [] }
    this.#asked.clear()
    this.#current = undefined
    this.#redial(redialMs)
  }

  /** The new session serves it now, or nobody should: the outgoing one gets no more visitors for it. */
  #takeOver(bind: number, inMs = 0): void {
    const outgoing = this.#outgoing
    if (outgoing?.serves.delete(bind))
      outgoing.timers.push(this.#options.clock.after(inMs, () => outgoing.session.unbind(bind)))
  }

  /** The outgoing session takes no more visitors, whether or not the new one does. */
  #endOutgoing(): void {
    this.#tellUnserved()
    for (const timer of this.#outgoing?.timers ?? []) timer.clear()
    this.#outgoing = undefined
  }

  /** What only the outgoing session served is served by none. */
  #tellUnserved(): void {
    for (const bind of this.#outgoing?.serves ?? []) this.#options.onUnbound(this.instance, bind)
  }

  /** The current session takes no new visitors. */
  #leave(failure: PortTunnelerError, retryInMs: number): void {
    this.#current = undefined
    this.#isDetached = false
    const asked = [...this.#asked]
    this.#asked.clear()
    for (const bind of asked) this.#options.onUnbound(this.instance, bind)
    if (!this.#isClosed) this.#retry(failure, retryInMs)
  }

  #retry(failure: PortTunnelerError, retryInMs: number): void {
    const isNew = this.#hush() || this.#failure?.key !== failure.key
    this.#failure = failure
    this.#redial(retryInMs)
    this.#options.onLost(this.instance, { failure, retryInMs, isNew })
  }

  #redial(inMs: number): void {
    this.#timer?.clear()
    this.#timer = this.#options.clock.after(inMs, () => {
      this.#timer = undefined
      this.start()
    })
  }

  #delay(failure: PortTunnelerError): number {
    if (isNobodyListening(failure)) return backoffMs(restartBackoff, this.#absences++, this.#options.random)
    this.#absences = 0
    const own = backoffMs(redialBackoff, this.#attempt++, this.#options.random)
    const { retryAfterMs } = failure.fields
    if (typeof retryAfterMs !== 'number') return own
    // All agents of a relay are told the same time, but must not come back all at once.
    return Math.max(own, retryAfterMs * (1 + redialBackoff.jitter * this.#options.random()))
  }
}
