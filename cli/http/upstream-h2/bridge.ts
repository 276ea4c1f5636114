/**
 * Stands in for the upstream's socket when the upstream speaks HTTP/2: requests come from the stream as HTTP/1.1, as
 * the relay sends them, and their answers go back as HTTP/1.1. The relay's own scanner frames the requests, so nobody
 * can hide one in the body of another.
 *
 *   between ──▶ asking ──▶ calling ──▶ between        one request after the other, as on any connection
 *                             │ └──▶ raw              a WebSocket is open
 *                             └────▶ ended            the answer was the last, or cannot be completed
 */
import { Buffer } from 'node:buffer'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, keyOfCode, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { renderPage } from '@porttunneler/shared/http/pages'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import type { SplicedStream } from '@porttunneler/shared/mux/splice'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import type { Turn } from '@porttunneler/shared/mux/turn'
import { Call } from './call.ts'
import { ChunkedBody } from './chunked.ts'
import { webSocketAccept } from './fields.ts'
import type { Slot, UpstreamSessions } from './sessions.ts'

export type BridgeOptions = {
  readonly sessions: UpstreamSessions
  readonly clock: Clock
  readonly turn: Turn
  /** The upstream as the user wrote it, for messages. */
  readonly name: string
  /** The relay waits for the answer to a first request with Upgrade. */
  readonly awaitsUpgrade: boolean
  /** How the first request is answered, called before the answer is written. */
  onFirst(answer: 'upgraded' | 'plain'): void
  /** The upstream answers a request. */
  onAnswer(): void
  /** A visitor was told of this failure of the upstream. */
  onProblem(failure: PortTunnelerError): void
  /** Called once, when nothing more is sent. `key` says why when it was not an orderly end. */
  onEnd(key: ErrorKey | undefined): void
}

type State = 'between' | 'asking' | 'calling' | 'raw' | 'ended'

/** REFUSED_STREAM and GOAWAY mean that the upstream has not looked at a request. */
const triesMax = 3
/** A visitor that was told to go may finish what it is sending: a reset would destroy the answer. */
const lingerMs = 5_000

export class Bridge implements StreamSink {
  readonly #stream: SplicedStream
  readonly #options: BridgeOptions
  readonly #scanner = new RequestScanner()
  #state: State = 'between'
  #head: RequestHead | undefined
  #chunks: ChunkedBody | undefined
  #call: Call | undefined
  #tries = 0
  /** The request's body has come; its answer is complete; a part of its answer was sent. */
  #isAsked = false
  #isAnswered = false
  #hasHead = false
  #isFirst = true
  #sawFin = false
  /** Bytes from the stream; of bodies passed on; how many of those the upstream took; and what was credited. */
  #received = 0
  #passed = 0
  #taken = 0
  #credited = 0
  #stopAsking: () => void = () => {}
  #linger: Timer | undefined

  constructor(stream: SplicedStream, options: BridgeOptions) {
    this.#stream = stream
    this.#options = options
  }

  onData(bytes: Buffer): void {
    this.#received += bytes.length
    if (this.#state === 'raw') this.#send(bytes)
    else if (this.#state !== 'ended') {
      this.#scanner.push(bytes)
      this.#pump()
      // The stream reuses its memory.
      this.#scanner.own()
    }
    this.#credit()
  }

  onFin(): void {
    this.#sawFin = true
    this.#linger?.clear()
    if (this.#state === 'raw') this.#call?.finish([])
    else this.#pump()
  }

  onWritable(): void {
    this.#call?.setFull(false)
  }

  /** The visitor has gone. */
  onReset(code: number): void {
    this.#linger?.clear()
    if (this.#state !== 'ended') this.#leave(keyOfCode(code) ?? 'stream.aborted')
  }

  #pump(): void {
    while (this.#mayScan) {
      const event = this.#scanner.next()
      if (event === undefined) break
      if (event.kind === 'head') this.#begin(event)
      else if (event.kind === 'body') this.#onBody(event.bytes, event.isLast)
      // The relay scans by the same rules, so this sender got past it.
      else this.#break(event.key)
    }
    if (this.#sawFin && this.#mayScan) this.#onLast()
    this.#credit()
  }

  get #mayScan(): boolean {
    return this.#state === 'between' || (this.#state === 'calling' && !this.#isAsked)
  }

  /** Everything that the visitor sent was read. */
  #onLast(): void {
    if (this.#state === 'between' || this.#isAnswered) this.#end()
    else this.#break('stream.aborted')
  }

  #begin(head: RequestHead): void {
    this.#head = head
    this.#chunks = head.body === 'chunked' ? new ChunkedBody() : undefined
    this.#isAsked = head.body === 0
    this.#isAnswered = this.#hasHead = false
    this.#tries = 0
    this.#ask()
  }

  #ask(): void {
    const { sessions } = this.#options
    this.#state = 'asking'
    this.#tries += 1
    const slot = this.#tries === 1 ? sessions.take() : undefined
    if (slot) {
      this.#start(slot)
      return
    }
    this.#stopAsking = sessions.wait(
      true,
      (late) => {
        if (late) this.#start(late)
        this.#pump()
      },
      (failure) => this.#refuse(failure),
    )
  }

  #start(slot: Slot): void {
    const { sessions, turn, name, awaitsUpgrade, onAnswer } = this.#options
    const head = this.#head as RequestHead
    // Nobody knows which answer belongs to a later Upgrade, so the relay gives each its own stream.
    const accept = awaitsUpgrade && this.#isFirst ? webSocketAccept(head) : undefined
    this.#state = 'calling'
    if (accept !== undefined && slot.session.remoteSettings.enableConnectProtocol !== true) {
      slot.release(false)
      this.#refuse(fail('upstream.no_websocket', `${name} opens no WebSockets over HTTP/2`))
      return
    }
    try {
      this.#call = new Call({
        slot,
        head,
        turn,
        name,
        scheme: sessions.scheme,
        write: (bytes) => this.#stream.write(bytes),
        onTaken: (bytes) => {
          // After the end everything counts as taken.
          if (this.#state === 'ended') return
          this.#taken += bytes
          this.#credit()
        },
        accept,
        onHead: (isUpgraded) => {
          onAnswer()
          this.#onHead(isUpgraded ? 'upgraded' : 'plain')
        },
        onAnswered: () => {
          this.#isAnswered = true
          this.#settle()
        },
        onFailed: (failure, isRefused) => this.#onFailed(failure, isRefused),
      })
      // A body of no data may have come whole before an earlier try failed.
      if (this.#isAsked && head.body !== 0) this.#call.finish(this.#chunks?.trailers ?? [])
    } catch (cause) {
      slot.release(false)
      const why = cause instanceof Error ? cause.message : String(cause)
      this.#refuse(fail('upstream.reset', `${name} cannot be asked this over HTTP/2: ${why}`, { cause }))
    }
  }

  #onBody(bytes: Buffer, isLast: boolean): void {
    if (this.#chunks) this.#chunks.take(bytes, (data) => this.#send(data))
    else this.#send(bytes)
    if (!isLast) return
    this.#isAsked = true
    this.#call?.finish(this.#chunks?.trailers ?? [])
    this.#settle()
  }

  #send(data: Buffer): void {
    if (data.length === 0) return
    this.#passed += data.length
    this.#call?.send(Buffer.from(data))
  }

  #onHead(answer: 'upgraded' | 'plain'): void {
    this.#hasHead = true
    if (this.#isFirst) this.#options.onFirst(answer)
    this.#isFirst = false
    if (answer === 'upgraded') this.#becomeRaw()
  }

  #becomeRaw(): void {
    this.#state = 'raw'
    const held = this.#scanner.take()
    if (held.length > 0) this.#send(held)
    if (this.#sawFin) this.#call?.finish([])
  }

  #settle(): void {
    if (!this.#isAnswered) return
    if (this.#state === 'raw') {
      this.#call?.finish([])
      this.#call = undefined
      this.#end()
    } else if (this.#state !== 'calling') return
    else if (this.#call?.isLast) this.#end()
    else if (this.#isAsked) {
      this.#call = undefined
      this.#state = 'between'
      this.#pump()
    }
  }

  #onFailed(failure: PortTunnelerError, isRefused: boolean): void {
    const mayRepeat = isRefused && !this.#hasHead && !this.#call?.hasSent && this.#tries < triesMax
    if (mayRepeat) this.#ask()
    else this.#refuse(failure)
  }

  /** A page, unless the answer has begun. */
  #refuse(failure: PortTunnelerError): void {
    const { sessions, onProblem } = this.#options
    if (sessions.mayReport()) onProblem(failure)
    if (this.#hasHead) {
      this.#break('stream.aborted')
      return
    }
    const head = this.#head as RequestHead
    this.#onHead('plain')
    this.#stream.write(renderPage(failure.key, { bytes: head.bytes, host: head.host }))
    this.#end()
  }

  /** The visitor gets nothing more; what it still sends is dropped for a while. */
  #end(): void {
    this.#stream.end()
    if (!this.#sawFin)
      this.#linger = this.#options.clock.after(lingerMs, () => this.#stream.resetBehind('stream.aborted'), {
        background: true,
      })
    this.#leave(undefined)
  }

  #break(key: ErrorKey): void {
    this.#stream.resetBehind(key)
    this.#leave(key)
  }

  #leave(key: ErrorKey | undefined): void {
    this.#state = 'ended'
    this.#stopAsking()
    this.#call?.cancel()
    this.#call = undefined
    this.#scanner.take()
    this.#taken = this.#passed
    this.#credit()
    this.#options.onEnd(key)
  }

  /** Bytes that wait for the upstream, or for their turn, are not credited. */
  #credit(): void {
    const waiting =
      this.#mayScan || this.#state === 'ended' || this.#state === 'raw' ? 0 : this.#scanner.pendingBytes
    const due = this.#received - waiting - (this.#passed - this.#taken)
    if (due <= this.#credited) return
    const bytes = due - this.#credited
    this.#credited = due
    this.#stream.consumed(bytes)
  }
}
