/** Frames of a session as a whole (JSON bodies), read by their schemas and handed to the owner of the session. */
import { fail, type PortTunnelerError } from '../base/errors.ts'
import { decodeJson, FrameType, type Payload } from '../protocol/frames.ts'
import {
  bindSchema,
  boundSchema,
  goAwaySchema,
  noticeSchema,
  unbindSchema,
  unboundSchema,
} from '../protocol/messages.ts'
import type { OpenInfo } from './open-info.ts'
import type { Stream } from './stream.ts'
import type { StreamSink } from './stream-sink.ts'

export type SessionEvents = {
  /** Agent: a visitor came. Returns where its bytes go; then dials and calls `stream.opened`, or `stream.reset`. */
  onOpen?(stream: Stream, info: OpenInfo): StreamSink
  /** Relay: answer with `bound` or `unbound`. */
  onBind?(bind: number, ticket: string): void
  onUnbind?(bind: number): void
  /** Agent. */
  onBound?(bind: number, endpoint: string): void
  /** Agent: the BIND was refused, or the binding was withdrawn later. */
  onUnbound?(bind: number, code: string, message: string): void
  onGoAway?(code: string, graceMs: number, redialMs: number): void
  onNotice?(code: string, text: string): void
  /** A carrier was given up; streams go on over the others. */
  onCarrierLost?(carrier: number, reason: PortTunnelerError): void
  /** No carrier is left: no new visitors until `onAttached`, or `onClosed` when the grace is over. */
  onDetached?(): void
  onAttached?(): void
  /** Agent: no carrier is left, and a dial for one failed. It is tried again. */
  onDialFailed?(reason: PortTunnelerError): void
  /** Agent: `session.wantedDedicated` may have changed. */
  onWant?(): void
  /** Agent: the network changed; another carrier should be dialled at once. */
  onProbe?(): void
  /** Called exactly once, after every stream was told its end. */
  onClosed(reason: PortTunnelerError): void
}

export type Farewell = { readonly code: string; readonly message: string; readonly isFinal: boolean }

/**
 * Answers the other side's farewell if the frame was GOAWAY.
 * @throws frame.malformed, frame.unexpected
 */
export function readSessionFrame(
  type: FrameType,
  payload: Payload,
  side: 'relay' | 'agent',
  events: SessionEvents,
): Farewell | undefined {
  if (type === FrameType.goAway) {
    const { code, message, graceMs, redialMs } = decodeJson(goAwaySchema, payload)
    events.onGoAway?.(code, graceMs, redialMs)
    return { code, message, isFinal: graceMs === 0 }
  }
  if (type === FrameType.notice) {
    const { code, text } = decodeJson(noticeSchema, payload)
    events.onNotice?.(code, text)
  } else if (side === 'relay') readAgentFrame(type, payload, events)
  else if (type === FrameType.bound) {
    const { bind, endpoint } = decodeJson(boundSchema, payload)
    events.onBound?.(bind, endpoint)
  } else if (type === FrameType.unbound) {
    const { bind, code, message } = decodeJson(unboundSchema, payload)
    events.onUnbound?.(bind, code, message)
  } else throw fail('frame.unexpected')
  return undefined
}

function readAgentFrame(type: FrameType, payload: Payload, events: SessionEvents): void {
  if (type === FrameType.bind) {
    const { bind, ticket } = decodeJson(bindSchema, payload)
    events.onBind?.(bind, ticket)
  } else if (type === FrameType.unbind) events.onUnbind?.(decodeJson(unbindSchema, payload).bind)
  else throw fail('frame.unexpected')
}
