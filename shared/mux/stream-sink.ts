/** What a stream tells whoever uses it, and whoever opened it. */
import { wireCode } from '../base/errors.ts'

/** Where a stream's events go. After `onReset`, or after `reset` was called, nothing more comes. */
export type StreamSink = {
  /** Bytes in order, the sink's until it returns. All are owed to `stream.consumed` once the local side took them. */
  onData(bytes: Buffer): void
  /** The other side will send no more: half-close the local socket now. */
  onFin(): void
  /** What was written is gone; writing may go on after a `write` that answered false. */
  onWritable(): void
  /** The stream is over. `code` is the number of a PT code, see `keyOfCode`. */
  onReset(code: number): void
  /** Both directions ended and were used: the stream is forgotten. */
  onClosed?(): void
  onOpened?(connectMs: number): void
  onUpgraded?(): void
  onPlain?(): void
}

/** What whoever opened a stream hears of it, whoever uses it. */
export type StreamWatch = {
  /** The agent has reached the upstream. */
  onOpened(connectMs: number): void
  /** Once, before the sink hears the end. Not for `stream.reset`: who calls that knows. */
  onOver(): void
}

/** Says how a stream has ended: by a code, or in order. */
type TellEnd = (code?: number) => void

export function endTeller(sink: StreamSink, watch: StreamWatch | undefined): TellEnd {
  return (code) => {
    watch?.onOver()
    if (code === undefined) sink.onClosed?.()
    else sink.onReset(code)
  }
}

/** Handles the events of a stream that has no listener. */
export const deafSink: StreamSink = { onData() {}, onFin() {}, onWritable() {}, onReset() {} }

/** The code that streams hear when their session ends under them. */
export const sessionLostCode = wireCode('carrier.lost')
