/**
 * What the HTTP visitor listener asks of the relay around it (routes, sessions, meters). It decides about bytes of
 * HTTP alone; who may come in, which session serves and what is counted is decided behind these few functions.
 */

import type { Socket } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import type { NetworkMatcher } from '@porttunneler/shared/base/networks'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { Turn } from '@porttunneler/shared/mux/turn'
import type { Origin } from '../origins.ts'
import type { Caller } from './forwarded.ts'

/** One visitor connection as the tunnel's agent hears of it in OPEN; the rest is the route's. */
export type HttpVisitorInfo = Omit<OpenInfo, 'bind' | 'atMs'>

/** How requests were answered, for charts. */
export type AnswerSink = {
  /** Monotonic, ms. */
  now(): number
  /** The head of the final answer to a request is here, so long after the request was sent. */
  answered(status: number, latencyMs: number): void
  /** The upstream ended or failed before it had said that to a request. */
  unanswered(): void
}

export type StreamEvents = {
  /** Whoever is told gives the stream its sink before it returns. */
  onStream(stream: Stream): void
  onFailed(key: ErrorKey): void
}
/** A stream that is to come. */
export type Waiting = { cancel(): void }

/** A tunnel that a Host name leads to, whether its agent is here or away. */
export type HttpRoute = {
  /**
   * Admits the visitor and opens a stream, which is counted as opened. With a lone agent it is there at once, and
   * `onStream` is called before this returns. Where several serve the tunnel, the first that reaches its upstream has
   * it; a failure that comes so late is not counted yet.
   * @returns what is to come; undefined: `onStream` was called
   * @throws tunnel.away, visitor.denied, tunnel.rate, tunnel.limit, account.rate, relay.draining, carrier.lost,
   * session.limit: each is counted as a refusal of this tunnel by the one who throws
   */
  open(info: HttpVisitorInfo, events: StreamEvents): Waiting | undefined
  /** The local side is done with a stream that `open` gave: it was ended both ways, or reset. Said once. */
  closed(stream: Stream): void
  /** What is counted of answers. */
  readonly answers: AnswerSink
  /** A visitor of this tunnel was turned away after its stream was open (421, smuggling, upstream down). */
  refused(key: ErrorKey): void
}

export type HttpVisitorDeps = {
  readonly clock: Clock
  readonly turn: Turn
  readonly log: Log
  /**
   * Where a Host leads. `host` is lower case without port or trailing dot.
   * 'own': a name of this relay itself; an error: why it leads nowhere.
   */
  lookup(host: string): HttpRoute | 'own' | 'tunnel.away' | 'http.unknown_host'
  /** Takes over a paused connection for the relay's own names, of which `first` was read. */
  serveOwn(socket: Socket, first: Buffer): void
  /** A visitor was turned away before any tunnel was known. */
  refused(key: ErrorKey): void
  /**
   * A whole request head has come: whoever sent it is no stranger. It may be refused, or another process of this
   * machine may have the session of `host`, which is looked for; undefined: neither. Never rejects.
   */
  welcome?(
    visitor: HttpVisitorOptions,
    caller: Caller,
    host: string,
  ): ErrorKey | Promise<Socket | undefined> | undefined
  /** Joins the visitor, of which `first` was read, to what `welcome` found. */
  passOn?(visitor: HttpVisitorOptions, sibling: Socket, first: Buffer): void
  /** Where abuse is reported: an http(s) or mailto address, shown on every page. */
  readonly abuseUrl?: string
}

export type HttpVisitorOptions = {
  /** Made with `allowHalfOpen: true`; nobody else reads it. */
  readonly socket: Socket
  readonly origin: Origin
  /** Absent: plain HTTP. `raw` is the TCP socket, which alone can be reset. */
  readonly tls?: { readonly sni: string; readonly raw: Socket }
  /** The connection is a proxy's that the operator trusts: each request says for whom it is. Whom else to believe. */
  readonly trusts?: NetworkMatcher | undefined
  /** Handed over by another process of this machine; it is never handed on. */
  readonly isHop?: boolean
}

/** A visitor connection as a relay sees it that leaves. */
export type HttpConnection = {
  /** No request has led to a tunnel yet. */
  readonly isUnasked: boolean
  /** From now on the next request is the last, and the upstream is asked to close behind it. */
  startLeaving(): void
  /** Ends the connection when every request on it is answered in full. */
  leaveIfDone(): void
}
