/** What a runner of one relay needs: sessions, the dial that begins them, and whom to tell. */
import type { RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { Session } from '@porttunneler/shared/mux/session'
import type { SessionEvents } from '@porttunneler/shared/mux/session-frames'
import type { Spare } from '@porttunneler/shared/mux/spare'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'

/** The part of a mux session that the runner uses. */
export type AgentSession = Pick<
  Session,
  'state' | 'activeStreams' | 'rttMs' | 'bind' | 'unbind' | 'probe' | 'goAway' | 'close'
>
export type AgentSessionEvents = Required<
  Omit<SessionEvents, 'onBind' | 'onUnbind' | 'onCarrierLost' | 'onWant' | 'onProbe'>
>

/** Dials, sends HELLO with the ticket and resolves at WELCOME. Rejections may carry `fields.retryAfterMs`. */
export type DialRelay = (
  address: RelayAddress,
  options: {
    readonly ticket: string
    readonly events: AgentSessionEvents
    readonly signal: AbortSignal
    readonly spare: Spare
  },
) => Promise<AgentSession>

export type RelayLoss = {
  readonly failure: PortTunnelerError
  readonly retryInMs: number
  /** False when the try before failed for the same reason. */
  readonly isNew: boolean
}

export type RelayRunnerOptions = {
  readonly dial: DialRelay
  readonly clock: Clock
  readonly random: () => number
  /** A proxy is on the way, so a lost connection is reported with its reason once the next try has asked the proxy. */
  isProxied?(): boolean
  /** What to bind at once in a new session; empty: no reason to dial yet. */
  tickets(): ReadonlyMap<number, string>
  onOpen(stream: Stream, info: OpenInfo): StreamSink
  onConnected(instance: string): void
  onBound(instance: string, bind: number): void
  /** `failure` is the reason; a bind that ended only because the session is lost has none. */
  onUnbound(instance: string, bind: number, failure?: PortTunnelerError): void
  /** Called after every loss of a session and every failed dial. */
  onLost(instance: string, loss: RelayLoss): void
  onNotice(instance: string, code: string, text: string): void
}
