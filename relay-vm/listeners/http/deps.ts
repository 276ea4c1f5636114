/**
 * What the HTTP visitor listener asks of the relay around it (routes, sessions, meters). The listener decides only
 * about bytes of HTTP; these few functions decide who may come in, which session serves and what is counted.
 */

import type { Socket } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import type { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import type { RequestHead } from '@porttunneler/shared/http/head'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { Turn } from '@porttunneler/shared/mux/turn'
import type { JointWork, Worker } from '@porttunneler/shared/mux/work-share'
import type { HeldBodies } from '../http2/held-bodies.ts'
import type { Origin } from '../origins.ts'
import type { VisitorSource } from './forwarded.ts'

/** One visitor connection as the tunnel's agent is told in OPEN; the rest comes from the route. */
export type HttpVisitorInfo = Omit<OpenInfo, 'bind' | 'atMs'>

/** How requests were answered, for charts. */
export type AnswerSink = {
  /** Monotonic, ms. */
  now(): number
  /** The head of the final answer to a request is here, this long after the request was sent. */
  answered(status: number, latencyMs: number): void
  /** The upstream ended or failed before it had sent the head of an answer to a request. */
  unanswered(): void
}

export type StreamEvents = {
  /** The handler gives the stream its sink before it returns. */
  onStream(stream: Stream): void
  onFailed(key: ErrorKey): void
}
/** A stream that is still to come. */
export type Waiting = { cancel(): void }

/** A tunnel that a Host name leads to, whether its agent is here or away. */
export type HttpRoute = {
  /**
   * Admits the visitor and opens a stream, which is counted as opened. If one agent serves the tunnel the stream is
   * there at once, and `onStream` is called before this returns. If several serve it, the first that reaches its
   * upstream gets the visitor; a failure that comes so late is not counted yet. `isKnown`: the visitor has had a stream
   * on the same connection, so no rate counts it again.
   * @returns the stream to wait for; undefined: `onStream` was called
   * @throws tunnel.away, visitor.denied, tunnel.rate, tunnel.limit, account.rate, relay.draining, carrier.lost,
   * session.limit: whoever throws has counted it as a refusal of this tunnel
   */
  open(info: HttpVisitorInfo, events: StreamEvents, isKnown?: boolean): Waiting | undefined
  /**
   * The local side is done with a stream that `open` returned: it ended both ways, or was reset. Called once.
   * @param end `done`: all that was asked is answered; a code: why it was reset
   */
  closed(stream: Stream, end?: ErrorKey | 'done'): void
  /**
   * What the tunnel's policy says now of a request: why it may not pass, or how long its body may be; asked once for
   * each. Undefined: any length.
   */
  judge(request: Pick<RequestHead, 'body'>, caller: VisitorSource): ErrorKey | number | undefined
  /** Counts answers. */
  readonly answers: AnswerSink
  /** A visitor of this tunnel was turned away after its stream was open (421, smuggling, upstream down). */
  refused(key: ErrorKey): void
}

export type HttpVisitorDeps = {
  /** The port of HTTPS, for visitors who are sent there. */
  readonly httpsPort: () => number
  readonly clock: Clock
  readonly turn: Turn
  readonly log: Log
  /**
   * Where a Host leads. `host` is lower case without port or trailing dot. `proto`: how the visitor asks for it.
   * @returns 'own' for a name of this relay itself; an error key: why it leads nowhere
   */
  lookup(
    host: string,
    head: Pick<RequestHead, 'bytes'>,
    proto: VisitorSource['proto'],
  ): HttpRoute | 'own' | 'tunnel.away' | 'tunnel.taken_down' | 'http.https_only' | 'http.unknown_host'
  /** Counts the work of a visitor's connection for its address. */
  work?(visitor: HttpVisitorOptions, worker: Worker): JointWork | undefined
  /** Takes over a paused connection for the relay's own names. `first` was read from it. */
  serveOwn(socket: Socket, first: Buffer): void
  /** Counts a visitor that was turned away before any tunnel was known. */
  refused(key: ErrorKey): void
  /**
   * Call it when a whole request head has come: its sender is no stranger any more. The request may be refused, or
   * another process of this machine may have the session of `host`, which is looked up; undefined: neither. Never
   * rejects.
   */
  welcome?(
    visitor: HttpVisitorOptions,
    caller: VisitorSource,
    host: string,
    head?: Pick<RequestHead, 'bytes'>,
  ): ErrorKey | Promise<Socket | undefined> | undefined
  /** Joins the visitor, from which `first` was read, to the socket that `welcome` found. */
  passOn?(visitor: HttpVisitorOptions, sibling: Socket, first: Buffer): void
  /**
   * Whether visitors of `host` have to come by HTTP/1.1 now, and on another connection: another process of this machine
   * may serve it, or a feature flag has taken HTTP/2 from it.
   */
  isHttp1Only?(host: string): boolean
  /** A visitor took back a request over HTTP/2. @returns false: its network did so too often */
  mayTakeBack?(address: string): boolean
  /** Memory of bodies that HTTP/2 has taken and nobody reads yet. */
  readonly memory?: HeldBodies
  /** Where abuse is reported: an http(s) or mailto address, shown on every page. */
  readonly abuseUrl?: string
}

export type HttpVisitorOptions = {
  /** Made with `allowHalfOpen: true`. Nobody else reads it. */
  readonly socket: Socket
  readonly origin: Origin
  /** undefined: plain HTTP. `raw` is the TCP socket: only it can be reset. */
  readonly tls?: {
    readonly sni: string
    readonly raw: Socket
    /** The visitor has shown a certificate that the relay demands for some names. */
    readonly isProven?: boolean
  }
  /**
   * Set when the connection belongs to a proxy that the operator trusts: each request names its visitor. It tells which
   * further hops to believe.
   */
  readonly trusts?: TrustedProxies | undefined
  /** Another process of this machine handed it over. It is never handed on. */
  readonly isHop?: boolean
}

/** A visitor connection, for a relay that leaves. */
export type HttpConnection = {
  /** No request has led to a tunnel yet. */
  readonly isUnasked: boolean
  /** From now on the next request is the last, and the upstream is asked to close after it. */
  startLeaving(): void
  /** Call it at regular looks: ends the connection when nothing was under way on it at ten of them in a row. */
  leaveIfDone(): void
}
