/** What a stream tells its user and its opener. */
import { wireCode } from '../base/errors.ts'

/** Where a stream's events go. After `onReset`, or after `reset` was called, nothing more comes. */
export type StreamSink = {
  /** Bytes in order, valid until it returns. Each must be passed to `stream.consumed` once the local side took it. */
  onData(bytes: Buffer): void
  /** The other side will send no more: half-close the local socket now. */
  onFin(): void
  /** Everything written is gone; writing may go on after a `write` that returned false. */
  onWritable(): void
  /** The stream is over. `code` is the number of a PT code, see `keyOfCode`. */
  onReset(code: number): void
  /** Both directions ended and were used: the stream is forgotten. */
  onClosed?(): void
  onOpened?(connectMs: number): void
  onUpgraded?(): void
  onPlain?(): void
}

/** What the opener of a stream is told about it, whoever uses it. */
export type StreamWatch = {
  /** The agent has reached the upstream. */
  onOpened(connectMs: number): void
  /**
   * Called once, before the sink is told the end. Not called for `stream.reset`: its caller knows.
   * @param code the number of a PT code; undefined: it ended in order
   */
  onOver(code?: number): void
}

/** Who is told how a stream has ended. */
export type Heirs = { readonly sink: StreamSink; readonly watch: StreamWatch | undefined }

/** `code`: undefined if it ended in order. */
export function tellEnd({ sink, watch }: Heirs, code?: number): void {
  watch?.onOver(code)
  if (code === undefined) sink.onClosed?.()
  else sink.onReset(code)
}

/** Handles the events of a stream that has no listener. */
export const deafSink: StreamSink = { onData() {}, onFin() {}, onWritable() {}, onReset() {} }

/** The code that streams get when their session ends under them. */
export const sessionLostCode = wireCode('carrier.lost')
