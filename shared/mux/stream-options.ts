/** The options of a stream, which its session sets. */
import type { Budget } from './budget.ts'
import type { Carrier } from './carrier.ts'
import type { OpenInfo } from './open-info.ts'
import type { Router } from './router.ts'
import type { Slabs } from './slab.ts'
import type { Heirs, StreamSink, StreamWatch } from './stream-sink.ts'

/** opening: relay only, nothing has come from the agent yet. resetting: RESET was sent and waits for its ACK. */
export type StreamState = 'opening' | 'open' | 'resetting' | 'closed'

/** What a stream asks of its session. `S` is the stream. */
export type StreamHost<S> = {
  /** Credit that is not worth a frame yet is sent with other credit soon. */
  creditSoon(stream: S): void
  /** There is no memory to keep what it would send: it is fed later. */
  starve(stream: S): void
  /** Its RESET waits for bytes written before it. */
  linger(stream: S): void
  /** It has ended. */
  forget(stream: S): void
  /** Tells `listeners` that it has ended (see `tellEnd`): now, or soon if many end at once. */
  tellSoon(stream: S, listeners: Heirs, code?: number): void
}

export type StreamOptions<S> = {
  readonly host: StreamHost<S>
  readonly router: Router
  /** Bytes that wait to be sent are copied there. */
  readonly slabs: Slabs
  readonly id: number
  readonly info: OpenInfo
  readonly sink: StreamSink
  readonly watch?: StreamWatch | undefined
  readonly state: StreamState
  readonly budget: Budget
  /** How much of its sent bytes this side may keep until they are acknowledged. */
  readonly sendBudget: Budget
  /** What the other side may send at once. */
  readonly window: number
  /** What this side may send at once. */
  readonly edge: number
  readonly carrier: Carrier
}
