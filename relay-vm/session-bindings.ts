/** Answers BIND and UNBIND of one session, one after the other, and checks a ticket at each BIND. */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import type { Session } from '@porttunneler/shared/mux/session'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { TicketClaims } from '@porttunneler/shared/protocol/ticket'
import { BindingQueue } from './binding-queue.ts'
import type { TcpListeners } from './listeners/tcp.ts'
import type { Meters } from './meters/meters.ts'
import type { Names } from './names.ts'
import type { FairLog } from './policy/fair-log.ts'
import type { Routes } from './routes.ts'

export type BindingOptions = {
  readonly clock: Clock
  /** Whether the account may have another ticket checked now; until then its BIND waits. */
  mayCheck(): boolean
  readonly log: Log
  readonly fairLog: FairLog
  readonly routes: Routes
  readonly names: Names
  readonly tcp: TcpListeners
  readonly meters: Meters
  /** A lease is served here for the first time: the control plane should be told. */
  onPresence(): void
}

export class SessionBindings {
  readonly #claims: TicketClaims
  readonly #options: BindingOptions
  readonly #check: (ticket: string) => Promise<TicketClaims>
  /** Binding -> endpoint. */
  readonly #bound = new Map<number, string>()
  readonly #queue: BindingQueue
  #session: Session | undefined

  constructor(
    claims: TicketClaims,
    options: BindingOptions,
    check: (ticket: string) => Promise<TicketClaims>,
  ) {
    this.#claims = claims
    this.#options = options
    this.#check = check
    const { clock, mayCheck } = options
    this.#queue = new BindingQueue({ clock, mayCheck, answer: (bind, ticket) => this.#answer(bind, ticket) })
  }

  /** The session exists, and none of its frames has been read. */
  begin(session: Session): void {
    this.#session = session
  }

  /** `ticket`: of a BIND; undefined for UNBIND. @throws control.flood */
  onWord(bind: number, ticket: string | undefined): void {
    this.#queue.add(bind, ticket)
  }

  close(): void {
    this.#queue.close()
  }

  async #answer(bind: number, ticket: string | undefined): Promise<void> {
    const session = this.#session
    if (session === undefined || session.state === 'closed') return
    try {
      if (ticket !== undefined) await this.#bind(session, bind, ticket)
      else if (this.#bound.delete(bind)) this.#options.routes.unbind({ session, bind })
    } catch (error) {
      this.#options.log.error({ session: session.id, error }, 'A binding failed')
      session.close('session.closed', 'The relay failed to answer a BIND')
    }
  }

  async #bind(session: Session, bind: number, ticket: string): Promise<void> {
    const { fairLog: log } = this.#options
    const owner = [this.#claims.account, this.#claims.agent]
    const about = { session: session.id, account: this.#claims.account }
    try {
      if (this.#bound.size >= limits.bindsPerSession && !this.#bound.has(bind)) throw fail('bind.limit')
      const claims = await this.#check(ticket)
      if (claims.account !== this.#claims.account || claims.agent !== this.#claims.agent)
        throw fail('ticket.invalid', 'The ticket belongs to another account or agent')
      await this.#take(session, bind, claims)
      const { sub: tunnel, endpoint, request } = claims
      const from = request === undefined ? about : { ...about, requestId: request }
      log.info(owner, { ...from, tunnel, endpoint }, 'A tunnel was bound')
    } catch (error) {
      if (!isFailure(error)) throw error
      session.unbound(bind, error.key, error.detail)
      log.info(owner, { ...about, key: error.key, code: error.code }, 'A BIND was refused')
    }
  }

  async #take(session: Session, bind: number, claims: TicketClaims): Promise<void> {
    const { routes, names, tcp, meters, onPresence } = this.#options
    const { endpoint } = claims
    routes.check(claims)
    if (claims.kind === 'tcp') await tcp.open(endpoint)
    try {
      // Both may have changed while the port was being opened.
      if (session.state === 'closed') throw fail('session.closed')
      // The tunnel moved: this binding has no more to do with its old endpoint.
      if ((this.#bound.get(bind) ?? endpoint) !== endpoint) routes.unbind({ session, bind })
      const held = routes.find(endpoint)?.claims
      const { meter } = routes.bind(claims, { session, bind })
      names.bound(claims)
      if (held?.sub !== claims.sub || held.epoch !== claims.epoch) onPresence()
      meters.shares.granted(claims, meter)
    } catch (error) {
      if (claims.kind === 'tcp' && routes.find(endpoint) === undefined) tcp.close(endpoint)
      throw error
    }
    this.#bound.set(bind, endpoint)
    session.bound(bind, endpoint)
  }
}
