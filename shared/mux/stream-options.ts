/** What a session makes a stream of. */
import type { Budget } from './budget.ts'
import type { Carrier } from './carrier.ts'
import type { OpenInfo } from './open-info.ts'
import type { SessionStreams } from './session-streams.ts'
import type { StreamSink } from './stream-sink.ts'

/** opening: relay only, nothing of the agent seen yet. resetting: RESET sent, its ACK awaited. */
export type StreamState = 'opening' | 'open' | 'resetting' | 'closed'

export type StreamOptions = {
  readonly host: SessionStreams
  readonly id: number
  readonly info: OpenInfo
  readonly sink: StreamSink
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
