/**
 * Reads along with one visitor of an http tunnel, in both directions, and records what it reads. It stands between the
 * visitor's stream and everything that the agent does with it, so it sees requests as the relay sent them and answers
 * as the visitor gets them, with any upstream protocol. It passes every byte on as it came and at once, keeps copies of
 * bounded size alone, and whatever goes wrong in it ends the reading, never the connection.
 */
import type { Buffer } from 'node:buffer'
import { keyOfCode, wireCode } from '@porttunneler/shared/base/errors'
import { AnswerParser, type AnswerReader, type ReceivedHead } from '@porttunneler/shared/http/answer-parser'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import type { PlainVisitor, VisitorStream } from '../agent/visitor-stream.ts'
import { ChunkedBody } from '../http/upstream-h2/chunked.ts'
import { type Entry, linesOf, Message, type Origin } from './entry.ts'
import { EventStreamReader } from './event-stream.ts'
import type { Recorder } from './recorder.ts'
import { redactLine } from './redaction.ts'
import { deflateOf, type Lane } from './unpacking.ts'
import { SocketReader } from './web-socket.ts'

type Sides = { readonly visitor: SocketReader; readonly upstream: SocketReader; readonly lane: Lane }

export class Tap implements AnswerReader {
  readonly #recorder: Recorder
  readonly #origin: Origin
  readonly #onAnswered: (() => void) | undefined
  readonly #scanner = new RequestScanner()
  readonly #parser = new AnswerParser(this)
  /** Requests whose answers are not complete, oldest first. */
  readonly #waiting: Entry[] = []
  /** The request that is coming. */
  #coming: Entry | undefined
  /** A request with Upgrade, and the same once it is complete: what follows waits for the answer, it may be no HTTP. */
  #awaited: Entry | undefined
  #upgrading: Entry | undefined
  #chunks: ChunkedBody | undefined
  #sockets: Sides | undefined
  #events: EventStreamReader | undefined
  #connectedAt: number | undefined
  #isLost = false

  /** `onAnswered`: an answer is complete; a replay waits for it. */
  constructor(recorder: Recorder, origin: Origin, onAnswered?: () => void) {
    this.#recorder = recorder
    this.#origin = origin
    this.#onAnswered = onAnswered
  }

  stream(stream: VisitorStream): VisitorStream {
    return {
      get isOver() {
        return stream.isOver
      },
      get bytesIn() {
        return stream.bytesIn
      },
      get bytesOut() {
        return stream.bytesOut
      },
      write: (bytes) => {
        this.#safely(() => this.#answered(bytes))
        return stream.write(bytes)
      },
      end: () => {
        this.#safely(() => this.#parser.ended())
        stream.end()
      },
      opened: (connectMs) => {
        this.#connectedAt = this.#recorder.clock.monotonic()
        stream.opened(connectMs)
      },
      consumed: (bytes) => stream.consumed(bytes),
      answeredUpgrade: (answer) => stream.answeredUpgrade(answer),
      reset: (key) => {
        this.#over(wireCode(key))
        stream.reset(key)
      },
      resetBehind: (key) => {
        this.#over(wireCode(key))
        stream.resetBehind(key)
      },
    }
  }

  lead(visitor: PlainVisitor): PlainVisitor {
    return {
      start: () => visitor.start(),
      dial: () => visitor.dial(),
      onData: (bytes) => {
        this.#safely(() => this.#asked(bytes))
        visitor.onData(bytes)
      },
      onFin: () => visitor.onFin(),
      onWritable: () => visitor.onWritable(),
      onReset: (code) => {
        this.#over(code)
        visitor.onReset(code)
      },
      onClosed: () => {
        this.#over(undefined)
        visitor.onClosed?.()
      },
    }
  }

  // --- from the visitor ---

  #asked(bytes: Buffer): void {
    if (this.#sockets) {
      this.#sockets.visitor.read(bytes)
      return
    }
    this.#scanner.push(bytes)
    this.#scan()
    // The stream reuses its memory.
    this.#scanner.own()
  }

  #scan(): void {
    while (!this.#upgrading) {
      const event = this.#scanner.next()
      if (event === undefined) return
      if (event.kind === 'refused') {
        this.#lose('unread')
        return
      }
      if (event.kind === 'head') this.#onRequest(event)
      else this.#onRequestBody(event.bytes, event.isLast)
      if (this.#isLost) return
    }
  }

  #onRequest(head: RequestHead): void {
    const entry = this.#recorder.begin(head, this.#origin)
    this.#waiting.push(entry)
    this.#coming = entry
    this.#chunks = head.body === 'chunked' ? new ChunkedBody() : undefined
    this.#parser.asked(head.method)
    if (head.wantsUpgrade) this.#awaited = entry
    if (head.body === 0) this.#requestEnded(entry)
  }

  #onRequestBody(bytes: Buffer, isLast: boolean): void {
    const entry = this.#coming
    if (!entry) return
    const keep = (part: Buffer) => this.#recorder.keep(entry, entry.request, part)
    if (this.#chunks) this.#chunks.take(bytes, keep)
    else keep(bytes)
    if (isLast) this.#requestEnded(entry)
  }

  #requestEnded(entry: Entry): void {
    this.#coming = undefined
    if (this.#awaited === entry) this.#upgrading = entry
    entry.request.isWhole = true
    entry.marks.asked = this.#since(entry)
    this.#recorder.whole(entry)
  }

  // --- to the visitor ---

  #answered(bytes: Buffer): void {
    this.#parser.heard(bytes)
  }

  onHead({ bytes, status, isInterim }: ReceivedHead): void {
    const [entry] = this.#waiting
    if (!entry || isInterim) return
    const answer = new Message(linesOf(bytes).map(redactLine))
    entry.answer = answer
    entry.status = status
    entry.marks.answered = this.#since(entry)
    const connectedAt = this.#connectedAt
    if (connectedAt !== undefined) entry.marks.connected = Math.max(0, connectedAt - entry.startedAt)
    this.#connectedAt = undefined
    if (status === 101 && answer.header('upgrade')?.toLowerCase() === 'websocket') this.#becomeSocket(entry)
    this.#events = isEventStream(answer) ? this.#eventsOf(entry) : undefined
    this.#recorder.charge(entry, bytes.length)
    this.#recorder.changed(entry)
    if (this.#awaited === entry) this.#goOn()
  }

  #goOn(): void {
    this.#awaited = this.#upgrading = undefined
    if (!this.#sockets) this.#scan()
  }

  onBody(bytes: Buffer): void {
    const [entry] = this.#waiting
    if (this.#sockets) this.#sockets.upstream.read(bytes)
    else if (entry?.answer) {
      this.#recorder.keep(entry, entry.answer, bytes)
      this.#events?.read(bytes)
    }
  }

  onEnd(): void {
    const entry = this.#waiting.shift()
    if (entry?.answer) {
      entry.answer.isWhole = true
      this.#finish(entry, undefined)
    }
    this.#events = undefined
    this.#onAnswered?.()
  }

  onBroken(): void {
    this.#lose('unread')
  }

  #becomeSocket(entry: Entry): void {
    const extensions = entry.answer?.values('sec-websocket-extensions') ?? []
    const lane = this.#recorder.logMessages(entry, deflateOf(extensions))
    const reader = (from: 'visitor' | 'upstream') =>
      new SocketReader(
        (message) => lane.take(from, message),
        (bytes) => lane.mayKeep(from, bytes),
      )
    this.#sockets = { visitor: reader('visitor'), upstream: reader('upstream'), lane }
    const held = this.#scanner.take()
    if (held.length > 0) this.#sockets.visitor.read(held)
  }

  #eventsOf(entry: Entry): EventStreamReader {
    this.#recorder.logFrames(entry)
    return new EventStreamReader((event) =>
      this.#recorder.frame(entry, {
        at: this.#recorder.clock.now(),
        from: 'upstream',
        kind: 'event',
        ...event,
      }),
    )
  }

  // --- ends ---

  #over(code: number | undefined): void {
    this.#lose(code === undefined ? undefined : codeText(code))
    this.#onAnswered?.()
  }

  /** From here on nothing is recorded: the connection is over, or nobody can tell where its messages end. */
  #lose(failure: string | undefined): void {
    this.#isLost = true
    this.#sockets?.lane.end()
    for (const entry of this.#waiting.splice(0)) this.#finish(entry, failure ?? this.#lackOf(entry))
  }

  /** What is missing where the connection ended in order. */
  #lackOf({ answer }: Entry): string | undefined {
    if (this.#sockets) return undefined
    return answer ? 'cut' : 'unanswered'
  }

  #finish(entry: Entry, failure: string | undefined): void {
    entry.failure = failure
    entry.marks.ended = this.#since(entry)
    this.#recorder.changed(entry)
  }

  #since(entry: Entry): number {
    return Math.round((this.#recorder.clock.monotonic() - entry.startedAt) * 1_000) / 1_000
  }

  /** Nothing that happens here may reach the connection. */
  #safely(read: () => void): void {
    if (this.#isLost) return
    try {
      read()
    } catch {
      this.#lose('unread')
    }
  }
}

function isEventStream(answer: Message): boolean {
  const isPlain = (answer.header('content-encoding') ?? 'identity').toLowerCase() === 'identity'
  return isPlain && (answer.header('content-type') ?? '').toLowerCase().startsWith('text/event-stream')
}

/** `PT-nnnn` for a number of ours. */
function codeText(code: number): string {
  return keyOfCode(code) ? `PT-${String(code).padStart(4, '0')}` : String(code)
}
