/** What the agent does with a visitor's stream; end-to-end TLS stands in front of one and does the same. */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'

export type VisitorStream = Pick<
  Stream,
  | 'write'
  | 'end'
  | 'consumed'
  | 'reset'
  | 'resetBehind'
  | 'opened'
  | 'answeredUpgrade'
  | 'isOver'
  | 'bytesIn'
  | 'bytesOut'
>

/** Who gets a visitor's plain bytes. */
export type PlainVisitor = StreamSink & {
  /** The handshake is over. */
  start(): void
  /** Called before, where the relay asks first whether the upstream can be reached. */
  dial(): void
}

/** A visitor's stream whose TLS ends here. */
export type TlsStream = VisitorStream & {
  /** The host that the handshake was for, in small letters. */
  readonly host: string
  /** The visitor starts when the handshake is over. @returns the sink of the stream */
  lead(visitor: PlainVisitor): StreamSink
}

/** What visitors speak inside TLS. */
export type InsideTls = 'http' | 'anything'
export type TlsWish = {
  readonly inside: InsideTls
  /** The tunnel's name. */
  readonly tunnel: string | undefined
  /** Other agents serve the tunnel too, so the relay can pass the visitor on. */
  readonly isShared: boolean
}
/** @returns a key: one of the other agents may do better */
export type EndTls = (stream: VisitorStream, wish: TlsWish) => TlsStream | ErrorKey
