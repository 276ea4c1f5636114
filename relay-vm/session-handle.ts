/** What routes and visitors need of a mux session; the small interface lets tests stand one in. */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { BindId, OpenInfo, Stream, StreamSink } from '@porttunneler/shared/mux/session'

export type { BindId, OpenInfo, Stream, StreamSink }

export type SessionHandle = {
  readonly id: string
  readonly state: 'open' | 'draining' | 'detached' | 'closed'
  readonly rttMs: number | undefined
  /** @throws relay.draining, carrier.lost, session.limit */
  open(info: OpenInfo, sink: StreamSink): Stream
  unbound(bind: BindId, key: ErrorKey, detail?: string): void
}
