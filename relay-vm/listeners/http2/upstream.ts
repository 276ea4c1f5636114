/**
 * One stream towards the agent, for the requests of one HTTP/2 connection: one after the other, in HTTP/1.1, as on a
 * kept-alive connection. The stream is there at once, or comes when one of several agents has reached its upstream;
 * what is written meanwhile is kept, and it is little, because the visitor's body is not read on.
 */
import { Buffer } from 'node:buffer'
import { type ErrorKey, keyOfCode } from '@porttunneler/shared/base/errors'
import {
  AnswerParser,
  type AnswerReader,
  type Fields,
  type ReceivedHead,
} from '@porttunneler/shared/http/answer-parser'
import type { RequestHead } from '@porttunneler/shared/http/head'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import type { HttpRoute, HttpVisitorInfo, Waiting } from '../http/deps.ts'

/** The request that the stream serves now. */
export type Asker = {
  onHead(head: ReceivedHead): void
  /** `bytes` are valid until this returns. Call `onTaken` once the visitor's connection took them. */
  onBody(bytes: Buffer, onTaken: () => void): void
  onEnd(trailers: Fields | undefined): void
  onWritable(): void
  /** No whole answer will come. `isUntouched`: nothing of it has come. */
  onLost(key: ErrorKey, isUntouched: boolean): void
}

export type UpstreamEvents = {
  /** Its request is answered, and another may follow. */
  onFree(upstream: Upstream): void
  /** It takes no more requests. */
  onOver(upstream: Upstream): void
  /** Nothing more comes of it. */
  onClosed(upstream: Upstream): void
}

/** What a stream is opened for. `isKnown`: the visitor has had one on this connection. */
type Opened = { readonly route: HttpRoute; readonly info: HttpVisitorInfo; readonly isKnown: boolean }

const statusMax = 599

export class Upstream implements StreamSink, AnswerReader {
  readonly #route: HttpRoute
  readonly #events: UpstreamEvents
  readonly #waiting: Waiting | undefined
  readonly #parser = new AnswerParser(this)
  #stream: Stream | undefined
  /** What was written before it came. */
  readonly #held: Buffer[] = []
  #asker: Asker | undefined
  #askedMs = 0
  #hasAnswered = false
  #isSent = false
  /** The last answer is complete and no request has followed it; `isFree`: that was told. */
  #isBetween = false
  #isFree = false
  /** Bytes of the present piece that the visitor will take later. */
  #laterBytes = 0
  #isOver = false
  #isEnded = false
  #isClosed = false
  #requestsTotal = 0

  /** @throws what `route.open` throws */
  constructor({ route, info, isKnown }: Opened, events: UpstreamEvents) {
    this.#route = route
    this.#events = events
    const opening = {
      onStream: (stream: Stream) => this.#join(stream),
      onFailed: (key: ErrorKey) => {
        this.#lose(key)
        this.#close()
      },
    }
    this.#waiting = route.open(info, opening, isKnown)
  }

  /** The present request is not its first. */
  get isReused(): boolean {
    return this.#requestsTotal > 1
  }

  /** Rises with every byte either way. */
  get progress(): number {
    return this.#stream ? this.#stream.bytesIn + this.#stream.bytesOut : 0
  }

  /** Sends a request of `asker`. False: stop until `onWritable`. */
  ask(asker: Asker, head: RequestHead, bytes: Buffer): boolean {
    this.#asker = asker
    this.#isBetween = this.#isFree = false
    this.#requestsTotal += 1
    this.#hasAnswered = this.#isSent = false
    this.#askedMs = this.#route.answers.now()
    this.#parser.asked(head.method)
    return this.write(bytes)
  }

  /** `bytes` stay the caller's. False: stop until `onWritable`. */
  write(bytes: Buffer): boolean {
    if (this.#stream) return this.#stream.write(bytes)
    this.#held.push(Buffer.from(bytes))
    return false
  }

  /** The request is sent completely. */
  sent(): void {
    this.#isSent = true
  }

  /** Nobody waits for the present answer any more. The upstream still gets what was sent. */
  leave(): void {
    this.#asker = undefined
    this.#end('stream.aborted')
  }

  /** No further request comes. */
  retire(): void {
    this.#giveUp()
    if (this.#isEnded) return
    this.#isEnded = true
    if (this.#stream) this.#stream.end()
    else {
      this.#waiting?.cancel()
      this.#close()
    }
  }

  onHead(head: ReceivedHead): void {
    // Nobody asked for another protocol, and HTTP/2 has no status of 600 or more (Node throws).
    if (head.status === 101 || head.status > statusMax) {
      this.onBroken()
      return
    }
    if (!head.isInterim) {
      this.#hasAnswered = true
      this.#route.answers.answered(head.status, this.#route.answers.now() - this.#askedMs)
    }
    this.#asker?.onHead(head)
  }

  onBody(bytes: Buffer): void {
    if (!this.#asker) return
    const { length } = bytes
    this.#laterBytes += length
    this.#asker.onBody(bytes, () => this.#stream?.consumed(length))
  }

  onEnd(trailers: Fields | undefined): void {
    const asker = this.#asker
    this.#asker = undefined
    asker?.onEnd(trailers)
    if (this.#isOver) return
    // An upstream may answer before it has the whole request; what it makes of the rest nobody can tell.
    if (!this.#isSent) this.#end('stream.aborted')
    else if (this.#parser.mayFollow) this.#isBetween = true
    else this.retire()
  }

  onBroken(): void {
    this.#lose('http.answer')
    this.#end('http.answer')
  }

  onData(bytes: Buffer): void {
    this.#laterBytes = 0
    this.#parser.heard(bytes)
    const takenBytes = bytes.length - this.#laterBytes
    if (takenBytes > 0) this.#stream?.consumed(takenBytes)
    if (this.#isBetween && !this.#isOver) this.#goOn()
  }

  onFin(): void {
    if (this.#asker) this.#parser.ended()
    this.#lose('http.upstream_silent')
    this.retire()
    this.#close()
  }

  onReset(code: number): void {
    this.#lose(keyOfCode(code) ?? 'stream.aborted')
    this.#close()
  }

  onWritable(): void {
    this.#asker?.onWritable()
  }

  /** Bytes behind an answer that nobody asked for would begin the next one. */
  #goOn(): void {
    if (!this.#parser.mayFollow) this.#end('http.answer')
    else if (!this.#isFree) {
      this.#isFree = true
      this.#events.onFree(this)
    }
  }

  #join(stream: Stream): void {
    stream.serve(this)
    this.#stream = stream
    let mayGoOn = this.#held.length > 0
    for (const bytes of this.#held.splice(0)) mayGoOn = stream.write(bytes)
    if (mayGoOn) this.onWritable()
  }

  /** There will be no answer any more. */
  #lose(key: ErrorKey): void {
    const asker = this.#asker
    this.#asker = undefined
    this.#giveUp()
    if (!asker) return
    if (!this.#hasAnswered) this.#route.answers.unanswered()
    asker.onLost(key, !this.#hasAnswered)
  }

  #giveUp(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#events.onOver(this)
  }

  /** Ends both directions, behind what was written. */
  #end(key: ErrorKey): void {
    this.#giveUp()
    this.#isEnded = true
    if (this.#stream) this.#stream.resetBehind(key)
    else this.#waiting?.cancel()
    this.#close(this.#isBetween ? 'done' : key)
  }

  #close(end?: ErrorKey | 'done'): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#stream) this.#route.closed(this.#stream, end)
    this.#events.onClosed(this)
  }
}
