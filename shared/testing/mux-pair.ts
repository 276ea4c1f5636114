/** A relay's and an agent's session joined by an in-memory wire. */
import type { Clock } from '../base/clock.ts'
import type { PortTunnelerError } from '../base/errors.ts'
import { Budget } from '../mux/budget.ts'
import { Carrier } from '../mux/carrier.ts'
import { deafHandler } from '../mux/carrier-handler.ts'
import { Liveness } from '../mux/liveness.ts'
import type { OpenInfo } from '../mux/open-info.ts'
import { Session } from '../mux/session.ts'
import type { SessionEvents } from '../mux/session-frames.ts'
import type { Stream } from '../mux/stream.ts'
import type { StreamSink } from '../mux/stream-sink.ts'
import { Turn } from '../mux/turn.ts'
import { limits } from '../protocol/limits.ts'
import { type WirePair, wirePair } from './wire-pair.ts'

export type MuxPair = {
  readonly relay: Session
  readonly agent: Session
  readonly wire: WirePair
  readonly carriers: { readonly relay: Carrier; readonly agent: Carrier }
  readonly budgets: { readonly relay: Budget; readonly agent: Budget }
  readonly closed: { relay?: PortTunnelerError; agent?: PortTunnelerError }
}

export function muxPair(options: {
  clock: Clock
  random?: () => number
  budgetBytes?: number
  /** Id of the relay's first stream. */
  firstId?: number
  /** The relay's budget, instead of its own. */
  budget?: Budget
  relay?: Partial<SessionEvents>
  agent?: Partial<SessionEvents>
}): MuxPair {
  const wire = wirePair(options.random)
  const closed: MuxPair['closed'] = {}
  const make = (side: 'relay' | 'agent') => {
    const { clock } = options
    const turn = new Turn()
    const carrier = new Carrier({
      socket: side === 'relay' ? wire.a : wire.b,
      number: 1,
      turn,
      clock,
      handler: deafHandler,
    })
    const own = new Budget(options.budgetBytes ?? Number.POSITIVE_INFINITY)
    const budget = side === 'relay' && options.budget ? options.budget : own
    const session = new Session({
      side,
      id: 'ses_test',
      secret: 'secret',
      carrier,
      clock,
      turn,
      liveness: new Liveness({ clock, side }),
      budget,
      agentWindow: limits.windowBytesInitial,
      firstId: options.firstId,
      events: {
        ...options[side],
        onClosed(reason) {
          closed[side] = reason
          options[side]?.onClosed?.(reason)
        },
      },
    })
    return { carrier, budget, session }
  }
  const relay = make('relay')
  const agent = make('agent')
  return {
    relay: relay.session,
    agent: agent.session,
    wire,
    carriers: { relay: relay.carrier, agent: agent.carrier },
    budgets: { relay: relay.budget, agent: agent.budget },
    closed,
  }
}

export const anyVisitor: OpenInfo = {
  bind: 1,
  visitorAddress: '192.0.2.7',
  visitorPort: 40_000,
  localPort: 20_000,
  atMs: 0,
  awaitsUpgrade: false,
}

/** A sink that keeps what it gets; `isHungry` decides whether bytes count as used at once. */
export class Recorder implements StreamSink {
  readonly chunks: Buffer[] = []
  stream: Stream | undefined
  isHungry = true
  hasFin = false
  isClosed = false
  resetCode: number | undefined
  writableTotal = 0
  onChange: () => void = () => {}

  onData(bytes: Buffer): void {
    this.chunks.push(Buffer.from(bytes))
    if (this.isHungry) this.stream?.consumed(bytes.length)
    this.onChange()
  }

  onFin(): void {
    this.hasFin = true
    this.onChange()
  }

  onWritable(): void {
    this.writableTotal += 1
    this.onChange()
  }

  onReset(code: number): void {
    this.resetCode = code
    this.onChange()
  }

  onClosed(): void {
    this.isClosed = true
    this.onChange()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  /** Resolves when `isTrue` first holds after an event. */
  until(isTrue: () => boolean): Promise<void> {
    if (isTrue()) return Promise.resolve()
    return new Promise((resolve) => {
      const before = this.onChange
      this.onChange = () => {
        before()
        if (isTrue()) resolve()
      }
    })
  }
}
