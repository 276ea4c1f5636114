/**
 * The stream of one exchange, from the moment a tunnel is known: it is there at once, or comes when one of several
 * agents has reached its upstream. What is written meanwhile is kept; it is little, because the visitor is not read on.
 */

import type { Socket } from 'node:net'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { Delivery } from '@porttunneler/shared/mux/splice'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import type { Turn } from '@porttunneler/shared/mux/turn'
import type { HttpRoute, HttpVisitorInfo, Waiting } from './deps.ts'

export type UplinkOptions = {
  readonly route: HttpRoute
  readonly info: HttpVisitorInfo
  readonly socket: Socket
  readonly turn: Turn
}

/** What the sink of the stream hears besides. */
export type UplinkSink = StreamSink & { onFailed(key: ErrorKey): void }

export class Uplink {
  readonly #socket: Socket
  readonly #turn: Turn
  readonly #sink: UplinkSink
  readonly #waiting: Waiting | undefined
  readonly #held: Buffer[] = []
  #link: { readonly stream: Stream; readonly delivery: Delivery } | undefined
  #isEnded = false

  /** @throws what `route.open` throws */
  constructor({ route, info, socket, turn }: UplinkOptions, sink: UplinkSink) {
    this.#socket = socket
    this.#turn = turn
    this.#sink = sink
    this.#waiting = route.connect?.(info, sink, {
      onStream: (stream) => this.#join(stream),
      onFailed: (key) => sink.onFailed(key),
    })
    if (!this.#waiting) this.#link = this.#linkTo(route.open(info, sink))
  }

  /** Undefined while it is to come. */
  get stream(): Stream | undefined {
    return this.#link?.stream
  }

  get bytesIn(): number {
    return this.#link?.stream.bytesIn ?? 0
  }

  get bytesOut(): number {
    return this.#link?.stream.bytesOut ?? 0
  }

  /** `bytes` stay the caller's. False: stop until the sink's `onWritable`. */
  write(bytes: Buffer): boolean {
    if (this.#link) return this.#link.stream.write(bytes)
    this.#held.push(Buffer.from(bytes))
    return false
  }

  end(): void {
    this.#isEnded = true
    this.flush()
    this.#link?.stream.end()
  }

  reset(key: ErrorKey): void {
    if (this.#link) this.#link.stream.reset(key)
    else this.#waiting?.cancel()
  }

  /** The same behind what was written. */
  resetBehind(key: ErrorKey): void {
    if (this.#link) this.#link.stream.resetBehind(key)
    else this.#waiting?.cancel()
  }

  /** Bytes for the visitor. */
  deliver(bytes: Buffer): void {
    this.#link?.delivery.write(bytes)
  }

  /** What was delivered is written now: whatever else the socket gets comes behind it. */
  flush(): void {
    this.#link?.delivery.finish()
  }

  /** The visitor's socket goes on without this stream. */
  detach(): void {
    this.#link?.delivery.detach()
  }

  #linkTo(stream: Stream) {
    return { stream, delivery: new Delivery(this.#socket, stream, this.#turn) }
  }

  #join(stream: Stream): void {
    this.#link = this.#linkTo(stream)
    let isWritable = true
    for (const bytes of this.#held.splice(0)) isWritable = stream.write(bytes)
    if (this.#isEnded) stream.end()
    else if (isWritable) this.#sink.onWritable()
  }
}
