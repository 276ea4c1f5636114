/** The options of a session. */
import type { Clock } from '../base/clock.ts'
import type { Budget } from './budget.ts'
import type { Carrier } from './carrier.ts'
import type { Liveness } from './liveness.ts'
import type { SessionEvents } from './session-frames.ts'
import type { Turn } from './turn.ts'

export type SessionOptions = {
  readonly side: 'relay' | 'agent'
  readonly id: string
  /** Known only to these two sides: it proves that a further carrier belongs to the session. */
  readonly secret: string
  readonly carrier: Carrier
  readonly clock: Clock
  readonly turn: Turn
  readonly liveness: Liveness
  /** The process's budget; the session takes its own share of it. */
  readonly budget: Budget
  /** What the agent said in HELLO: how much the relay may send at once on a new stream, bytes. */
  readonly agentWindow: number
  readonly events: SessionEvents
  /** See `SessionStreamsOptions`. */
  readonly firstId?: number | undefined
}
