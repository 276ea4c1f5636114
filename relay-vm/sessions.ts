/**
 * Takes agents from a TLS connection to a session whose bindings are in the routes. A ticket is checked offline, at
 * HELLO and at each BIND; the frames of one session are answered in order.
 */
import type { Socket } from 'node:net'
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import { sourcePath } from '@porttunneler/shared/base/addresses'
import {
  codes,
  type ErrorKey,
  fail,
  isFailure,
  type PortTunnelerError,
} from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { PerMinute } from '@porttunneler/shared/base/per-minute'
import { type AcceptedHello, acceptAgent } from '@porttunneler/shared/mux/accept'
import type { CarrierSource, MuxShared } from '@porttunneler/shared/mux/fresh-carrier'
import type { Session } from '@porttunneler/shared/mux/session'
import { type AccountShare, AccountShares } from './account-shares.ts'
import { asSource, type CarrierHop, type PassOptions, passCarrier } from './carrier-hop.ts'
import type { TcpListeners } from './listeners/tcp.ts'
import type { Meters } from './meters/meters.ts'
import type { Names } from './names.ts'
import { fairLog } from './policy/fair-log.ts'
import { FairRates } from './policy/fair-rates.ts'
import { makePool } from './policy/pools.ts'
import type { Routes } from './routes.ts'
import type { SecurityEvents } from './security-events.ts'
import { SessionBindings } from './session-bindings.ts'
import { type CheckOptions, checkHere } from './ticket-check.ts'

export type SessionsOptions = CheckOptions &
  PassOptions & {
    readonly mux: MuxShared
    readonly log: Log
    /** Name of this relay process, sent in WELCOME. */
    readonly instance: string
    readonly sessionsMax: number
    readonly strangersMax: number
    /** Networks that no rate counts. */
    readonly exempt: readonly string[]
    readonly routes: Routes
    readonly names: Names
    readonly tcp: TcpListeners
    readonly events: SecurityEvents
    readonly meters: Meters
    /** Why no agent may come in now; undefined: it may. */
    refusal(): ErrorKey | undefined
    /** Resolves when the start is over, with success or without. */
    readonly started: Promise<void>
    /** A lease is served here for the first time: the control plane should be told. */
    onPresence(): void
  }

/** A session and its owner. */
type Member = {
  readonly session: Session
  readonly account: string
  readonly agent: string
  readonly share: AccountShare
  readonly forgeries: PerMinute
}

/** Wrong proofs a minute for one session before the operator is told: a guesser, or a broken agent. */
const forgeriesMax = 5

/**
 * Sessions of one agent without a binding: one in use, and one that a relay taking its turn has just begun. Each
 * further program of a user on a machine has a session with a binding.
 */
const unboundMax = 2

/** A check takes 0.1 ms: a tenth of a core at most, and all tunnels of a full relay at once after a restart. */
const checkRate = { perMinute: 60_000, burst: 60_000 }
/** An agent that is refused for reasons of the relay comes back after this time, not at once. */
const retryAfterMs = 1_000
/** An agent waits for its WELCOME for `helloDeadlineMs`, the round trip included. */
const startWaitMs = 3_000
const toldMax = 10_000
/** After GOAWAY the next process is usually there within this time, and the agent goes on trying. */
const agentRedialMs = 200

export class AgentSessions {
  readonly #options: SessionsOptions
  readonly #sessions = new Map<string, Member>()
  /** TLS is up, HELLO is not accepted yet. */
  readonly #strangers
  /** The sessions of `#sessions` by owner. */
  readonly #pool
  readonly #log
  readonly #shares: AccountShares
  readonly #checks
  /** Account -> version of the last warning; commands come more than once. */
  readonly #told = new Map<string, number>()

  constructor(options: SessionsOptions) {
    this.#options = options
    this.#shares = new AccountShares(options.mux, options.exempt)
    this.#strangers = makePool<CarrierSource>('carriers', options.strangersMax, options.mux.clock)
    this.#pool = makePool<Session>('sessions', options.sessionsMax)
    this.#log = fairLog(options.log, options.mux.clock)
    this.#checks = new FairRates(options.mux.clock, { keysMax: 1 })
  }

  get size(): number {
    return this.#sessions.size
  }

  get strangers(): number {
    return this.#strangers.size
  }

  all(): Session[] {
    return [...this.#sessions.values()].map(({ session }) => session)
  }

  /** Whether a connection may join this session here. */
  has(session: string): boolean {
    return this.#sessions.has(session)
  }

  /** Takes over an agent's connection from another process of this machine, where its TLS ends. */
  acceptHop(socket: Socket, hop: CarrierHop): void {
    void this.accept(asSource(socket, hop), true)
    socket.resume()
  }

  /** Takes over an agent's connection; never rejects. */
  async accept(socket: CarrierSource, isHop = false): Promise<void> {
    const { log, mux, meters, origins } = this.#options
    const turnAway = () => {
      meters.refused('session.limit')
      socket.destroy()
    }
    if (this.#strangers.add(socket, sourcePath(origins.of(socket).address), turnAway) !== undefined)
      return turnAway()
    try {
      const accepted = await acceptAgent(socket, mux)
      await this.#greet(accepted, socket, isHop)
    } catch (error) {
      // The agent has been told about a failure of the handshake, and the connection ends after it.
      if (isFailure(error)) this.#noteRefusal(error, socket)
      else {
        socket.destroy()
        log.error({ error }, 'Accepting an agent failed')
      }
    } finally {
      this.#strangers.remove(socket)
    }
  }

  /** Tells all agents that a successor is there; visitors are admitted until `goAway`. */
  announceSuccessor(graceMs: number): void {
    for (const session of this.all()) session.goAway({ key: 'relay.replaced', graceMs, redialMs: 0 })
  }

  /** Tells all agents to leave, and gives their streams `graceMs`. */
  goAway(graceMs: number): void {
    for (const session of this.all())
      session.goAway({ key: 'relay.draining', graceMs, redialMs: agentRedialMs })
  }

  /** Tells the agents of an account once how much of the month's transfer is used. */
  tellTransfer({ account, percent, version }: Extract<Command, { kind: 'transfer' }>): void {
    if ((this.#told.get(account) ?? 0) >= version) return
    this.#told.delete(account)
    this.#told.set(account, version)
    const [first] = this.#told.keys()
    if (this.#told.size > toldMax && first !== undefined) this.#told.delete(first)
    const key = percent >= 100 ? 'quota.transfer' : 'quota.transfer_near'
    const text = `${percent} % of the transfer of this month are used.`
    for (const member of this.#sessions.values())
      if (member.account === account) member.session.notice(key, text)
  }

  /** Makes all agents ask the control plane where the relays are, each in its own time. */
  tellDirectory(): void {
    for (const session of this.all()) session.notice('relay.directory', codes['relay.directory'].cause)
  }

  close(reason: ErrorKey): void {
    for (const session of this.all()) session.close(reason)
    for (const socket of [...this.#strangers.members()]) socket.destroy()
  }

  async #greet(accepted: AcceptedHello, socket: CarrierSource, isHop: boolean): Promise<void> {
    const { resume, agent } = accepted.hello
    try {
      if (!resume) return await this.#begin(accepted, socket)
      const member = this.#sessions.get(resume.session)
      if (member?.agent === agent) return this.#join(accepted, member, socket)
      if (isHop) throw fail('session.unknown')
      if (await passCarrier(accepted, socket, this.#options)) return
      this.#options.meters.refused('session.unknown')
      await this.#begin(await accepted.beginAnew(), socket)
    } catch (error) {
      if (!isFailure(error)) throw error
      this.#noteRefusal(error, socket)
      const isPassing = error.entry.retry === 'later' && error.key !== 'ticket.invalid'
      accepted.refuse(error.key, error.detail, isPassing ? retryAfterMs : undefined)
    }
  }

  /**
   * Adds a further carrier to a live session. Its proof is enough; the leases that the session serves have been
   * checked.
   * @throws carrier.proof, session.limit
   */
  #join(accepted: AcceptedHello, member: Member, socket: CarrierSource): void {
    try {
      const work = this.#shares.workOf(member.share, this.#options.origins.of(socket))
      accepted.join(member.session, this.#options.instance, work)
    } catch (error) {
      // A wrong proof costs that connection and never the session; otherwise anybody could end any session.
      const isForged = isFailure(error) && error.key === 'carrier.proof'
      if (isForged && !member.forgeries.allows(this.#options.mux.clock.monotonic()))
        this.#options.events.add('carrier.proof', { session: member.session.id })
      throw error
    }
  }

  async #begin(accepted: AcceptedHello, socket: CarrierSource): Promise<void> {
    const { instance, state, routes, meters, mux, origins } = this.#options
    const { hello } = accepted
    await this.#startOver()
    this.#checkPhase()
    if (hello.ticket === undefined) throw fail('ticket.invalid')
    const claims = await checkHere(hello.ticket, this.#options)
    // The relay may have begun to drain meanwhile.
    this.#checkPhase()
    if (claims.agent !== hello.agent) throw fail('ticket.invalid')
    if (state.decrees.isSuspended(claims.account)) throw fail('session.revoked')
    // It left while its ticket was checked: a session over a lost carrier would never get its end.
    if (socket.destroyed) return
    const { account, agent } = claims
    const options = {
      ...this.#options,
      clock: mux.clock,
      fairLog: this.#log,
      mayCheck: () => this.#checks.take('checks', checkRate, [account, agent]),
    }
    const bindings = new SessionBindings(claims, options, (ticket) => checkHere(ticket, this.#options))
    this.#makeRoom(account, agent)
    const share = this.#shares.take(account)
    const session = accepted.welcome({
      relay: instance,
      budget: share.budget,
      work: this.#shares.workOf(share, origins.of(socket)),
      events: {
        onBind: (bind, ticket) => bindings.onWord(bind, ticket),
        onUnbind: (bind) => bindings.onWord(bind, undefined),
        onDetached: () => {
          routes.setDetached(session, true)
          this.#endIfUseless(session)
        },
        onAttached: () => routes.setDetached(session, false),
        onClosed: (closed) => {
          bindings.close()
          this.#sessions.delete(session.id)
          this.#pool.remove(session)
          this.#shares.release(account)
          routes.lost(session)
          this.#log.info(
            [account, agent],
            { session: session.id, agent, reason: closed.key },
            'An agent left',
          )
        },
      },
    })
    bindings.begin(session)
    const forgeries = new PerMinute(forgeriesMax)
    this.#sessions.set(session.id, { session, account, agent, share, forgeries })
    this.#pool.add(session, [account, agent], () => {
      meters.refused('session.limit')
      session.close('session.limit')
    })
    this.#log.info([account, agent], { session: session.id, agent, build: hello.build }, 'An agent came')
  }

  /**
   * A session costs its owner and nobody else: a session without a binding yields to the agent's next, and when all
   * places are taken the account with the most sessions yields one.
   * @throws session.limit
   */
  #makeRoom(account: string, agent: string): void {
    const { routes } = this.#options
    if (this.#pool.count([account, agent]) >= unboundMax) {
      const idle = this.all().filter(
        (session) => this.#sessions.get(session.id)?.agent === agent && !routes.isBound(session),
      )
      if (idle.length >= unboundMax) {
        const gone = idle.find(({ state }) => state === 'detached')
        if (!gone) throw fail('session.limit', 'The agent has connections already that serve nothing.')
        gone.close('session.limit')
      }
    }
    if (this.#pool.refusal([account, agent]) !== undefined) throw fail('session.limit')
  }

  /**
   * Nobody would miss a session without a connection, a binding and a stream. It is not ended at once: a connection may
   * be on its way.
   */
  #endIfUseless(session: Session): void {
    const { mux, routes } = this.#options
    mux.clock.after(0, () => {
      const isUseless = session.activeStreams === 0 && !routes.isBound(session)
      if (session.state === 'detached' && isUseless) session.close('carrier.lost')
    })
  }

  /**
   * An agent that comes before the relay is ready waits a little. If the relay sent agents away, each would come with a
   * second TLS handshake, all at the same time.
   */
  async #startOver(): Promise<void> {
    const { refusal, started, mux } = this.#options
    if (refusal() !== 'relay.starting') return
    const late = Promise.withResolvers<void>()
    const timer = mux.clock.after(startWaitMs, late.resolve, { background: true })
    await Promise.race([started, late.promise])
    timer.clear()
  }

  /** @throws relay.starting, relay.draining */
  #checkPhase(): void {
    const reason = this.#options.refusal()
    if (reason !== undefined) throw fail(reason)
  }

  #noteRefusal(error: PortTunnelerError, socket: CarrierSource): void {
    const { meters, events, log, origins } = this.#options
    const from = origins.of(socket).address || 'gone'
    meters.refused(error.key)
    if (error.key === 'ticket.invalid') events.add('ticket.invalid', { from })
    // Anybody can send a bad HELLO: the counter tells the operator, and strangers must not fill the log.
    log.debug({ key: error.key, from }, 'An agent was refused')
  }
}
