/**
 * An agent that dials a relay by the real handshake, over in-memory wires that a test can cut, silence and refuse. Time
 * is a FakeClock; the wires run on turns of the loop.
 */
import type { TLSSocket } from 'node:tls'
import { fail, isFailure, type PortTunnelerError } from '../base/errors.ts'
import { type AcceptedHello, acceptAgent } from '../mux/accept.ts'
import { Budget } from '../mux/budget.ts'
import { dialRelay } from '../mux/dial.ts'
import type { MuxShared } from '../mux/fresh-carrier.ts'
import { Liveness } from '../mux/liveness.ts'
import type { Session } from '../mux/session.ts'
import type { SessionEvents } from '../mux/session-frames.ts'
import { Spare } from '../mux/spare.ts'
import { Turn } from '../mux/turn.ts'
import { FakeClock } from './fake-clock.ts'
import { type WirePair, wirePair } from './wire-pair.ts'

/** open: works; refused: nobody listens; silent: nothing comes through in either direction. */
export type PathState = 'open' | 'refused' | 'silent'

export class MuxLink {
  readonly clock = new FakeClock()
  readonly wires: WirePair[] = []
  readonly refusals: PortTunnelerError[] = []
  path: PathState = 'open'
  readonly spare = new Spare(this.clock)
  /** Tries to connect, whatever their result. */
  dials = 0
  /** The relay process: a restart forgets its sessions. */
  relay: Session | undefined
  agent: Session | undefined
  relayClosed: PortTunnelerError | undefined
  agentClosed: PortTunnelerError | undefined
  readonly #shared = { relay: this.#make('relay'), agent: this.#make('agent') }
  readonly #events: { relay: Partial<SessionEvents>; agent: Partial<SessionEvents> }

  constructor(events: { relay?: Partial<SessionEvents>; agent?: Partial<SessionEvents> } = {}) {
    this.#events = { relay: events.relay ?? {}, agent: events.agent ?? {} }
  }

  async dial(): Promise<void> {
    this.agent = await dialRelay({
      ...this.#shared.agent,
      address: { host: 'relay.test', port: 1, sni: 'relay.test' },
      agent: 'agent',
      build: 'test',
      ticket: 'ticket',
      random: () => 0.5,
      signal: new AbortController().signal,
      spare: this.spare,
      connect: () => this.#connect(),
      events: {
        ...this.#events.agent,
        onClosed: (reason) => {
          this.agentClosed = reason
        },
      },
    })
  }

  /** Everything on its way arrives, and `ms` of time pass in steps of 20 ms. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 20) {
      this.clock.advance(Math.min(20, left))
      await turns(6)
    }
  }

  silence(): void {
    this.path = 'silent'
    for (const wire of this.wires) wire.blackHole()
  }

  async #connect(): Promise<TLSSocket> {
    this.dials += 1
    if (this.path === 'refused') {
      const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
      throw fail('relay.unreachable', undefined, { cause })
    }
    const wire = wirePair()
    if (this.path === 'silent') wire.blackHole()
    this.wires.push(wire)
    const secretOfTls = Buffer.alloc(32, this.wires.length)
    for (const end of [wire.a, wire.b]) Object.assign(end, { exportKeyingMaterial: () => secretOfTls })
    void this.#accept(wire.a as unknown as TLSSocket)
    return wire.b as unknown as TLSSocket
  }

  async #accept(socket: TLSSocket): Promise<void> {
    try {
      const accepted = await acceptAgent(socket, this.#shared.relay)
      if (!accepted.hello.resume) this.#begin(accepted)
      else if (this.relay && this.relay.state !== 'closed') accepted.join(this.relay, 'relay')
      else this.#begin(await accepted.beginAnew())
    } catch (error) {
      if (!isFailure(error)) throw error
      this.refusals.push(error)
    }
  }

  #begin(accepted: AcceptedHello): void {
    const onClosed = (reason: PortTunnelerError) => {
      this.relayClosed = reason
    }
    this.relay = accepted.welcome({ relay: 'relay', events: { ...this.#events.relay, onClosed } })
  }

  #make(side: 'relay' | 'agent'): MuxShared {
    const { clock } = this
    return { clock, turn: new Turn(), liveness: new Liveness({ clock, side }), budget: new Budget(1e9) }
  }
}

export async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve))
}
