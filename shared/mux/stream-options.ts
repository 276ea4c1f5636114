/** What a session makes a stream of. */
import type { Budget } from './budget.ts'
import type { Carrier } from './carrier.ts'
import type { OpenInfo } from './open-info.ts'
import type { Router } from './router.ts'
import type { StreamSink, StreamWatch } from './stream-sink.ts'

/** opening: relay only, nothing of the agent seen yet. resetting: RESET sent, its ACK awaited. */
export type StreamState = 'opening' | 'open' | 'resetting' | 'closed'

/** What a stream asks of its session. `S` is the stream. */
export type StreamHost<S> = {
  /** Credit that is not worth a frame yet goes out with the others soon. */
  creditSoon(stream: S): void
  /** There is no memory to keep what it would send: it is fed later. */
  starve(stream: S): void
  /** Its RESET waits for what was written before it. */
  linger(stream: S): void
  /** It has ended. */
  forget(stream: S): void
}

export type StreamOptions<S> = {
  readonly host: StreamHost<S>
  readonly router: Router
  readonly id: number
  readonly info: OpenInfo
  readonly sink: StreamSink
  readonly watch?: StreamWatch | undefined
  readonly state: StreamState
  readonly budget: Budget
  /** What this side may keep of what it sent, until it is acknowledged. */
  readonly sendBudget: Budget
  /** What the other side may send at once. */
  readonly window: number
  /** What this side may send at once. */
  readonly edge: number
  readonly carrier: Carrier
}
