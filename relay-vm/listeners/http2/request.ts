/**
 * One request of an HTTP/2 connection, from its head to the end of its answer. It gets a stream towards the agent
 * (upstreams.ts), to which it is written in HTTP/1.1, and its answer is parsed and passed on piece by piece. Both
 * directions run at once, each at the pace of its reader. RFC 9113 section 8.
 *
 *   new ──▶ seeking ──▶ asking ──▶ answering ──▶ over      each step may also end in `over`: a page or a reset
 */
import { Buffer } from 'node:buffer'
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { AnswerParser, type Fields, type ReceivedHead } from '@porttunneler/shared/http/answer-parser'
import { parseHead, type RequestHead } from '@porttunneler/shared/http/head'
import { renderPage } from '@porttunneler/shared/http/pages'
import type { HeadRewriter } from '@porttunneler/shared/http/rewrite'
import { Calls } from '../http/calls.ts'
import type { HttpRoute, HttpVisitorDeps, HttpVisitorInfo, HttpVisitorOptions } from '../http/deps.ts'
import { blameless } from '../http/ending.ts'
import { type BodyMeans, BodyOut, type BodyReader } from './body-out.ts'
import { answerFields, fieldsByName } from './fields.ts'
import { writeHead } from './head.ts'
import type { Asker, Upstream } from './upstream.ts'
import type { Seeker, Upstreams } from './upstreams.ts'

/** The connection that a request belongs to. */
export type RequestHost = {
  readonly options: HttpVisitorOptions
  readonly deps: HttpVisitorDeps
  readonly upstreams: Upstreams
  readonly body: BodyMeans
  /** For the visitor that has made the connection. */
  readonly rewriter: HeadRewriter
  /** Counts work that was done from `startMs` on for `bytes` of a body. */
  worked(startMs: number, bytes: number): void
  /** A request with a good head has come. @returns why it may not pass */
  welcome(calls: Calls, host: string): ErrorKey | undefined
  /** Another process serves this host: the connection takes no more requests, and the visitor makes another. */
  moveOn(): void
  /** `isTakenBack`: by the visitor, before it had the whole answer. */
  onOver(request: Http2Request, isTakenBack: boolean): void
}

const { NGHTTP2_HTTP_1_1_REQUIRED, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants
/** Statuses whose answers have no body in HTTP/2, whatever the upstream sends (RFC 9110 section 15). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304])
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Interim answers are not held back by a window, so their bytes are limited; the rest of them is left out. */
const interimBytesMax = 64 * 1024

export class Http2Request implements Asker, BodyReader, Seeker {
  readonly #stream: ServerHttp2Stream
  readonly #host: RequestHost
  readonly #calls: Calls
  #head: RequestHead | undefined
  #route: HttpRoute | undefined
  #upstream: Upstream | undefined
  /** undefined: the head was all of the request. */
  readonly #body: BodyOut | undefined
  #trailers: Fields | undefined
  #interimBytes = 0
  #isHead = false
  #hasBody = false
  #waitsForTrailers = false
  #isOver = false
  #lastProgress = -1
  #stillTotal = 0

  constructor(stream: ServerHttp2Stream, host: RequestHost) {
    this.#stream = stream
    this.#host = host
    this.#calls = new Calls(host.options, host.rewriter)
    this.#body = stream.endAfterHeaders ? undefined : new BodyOut(stream, this, host.body)
    stream.on('close', this.#onClose)
    stream.on('error', (err) => host.deps.log.debug({ err }, 'An HTTP/2 stream failed'))
  }

  get route(): HttpRoute {
    if (!this.#route) throw new Error('The request has no route yet')
    return this.#route
  }

  get info(): HttpVisitorInfo {
    if (!this.#head) throw new Error('The request has no head yet')
    return this.#calls.infoOf(this.#head)
  }

  get sharedBy(): string {
    const { address, port, host = this.#head?.host } = this.#calls.caller
    return `${address} ${port} ${host}`
  }

  get isRepeatable(): boolean {
    return this.#head?.body === 0 && safeMethods.has(this.#head.method)
  }

  get isGone(): boolean {
    return this.#isOver || this.#stream.destroyed
  }

  /** @param raw the fields as they came */
  begin(raw: readonly string[]): void {
    this.#isHead = raw[raw.indexOf(':method') + 1] === 'HEAD'
    const bytes = writeHead(raw, this.#stream.endAfterHeaders)
    const head = typeof bytes === 'string' ? bytes : parseHead(bytes)
    if (typeof head === 'string') {
      this.#host.deps.refused(head)
      this.#page(head, typeof bytes === 'string' ? undefined : bytes)
      return
    }
    this.#head = head
    if (this.#calls.placeOf(head, undefined) === 'misdirected') this.onRefused('http.misdirected')
    else this.#choose(head, this.#calls.take(head))
  }

  #choose(head: RequestHead, host: string): void {
    const { deps } = this.#host
    const refusal = this.#host.welcome(this.#calls, host)
    if (refusal !== undefined) {
      this.onRefused(refusal)
      return
    }
    if (deps.isHttp1Only?.(host)) {
      this.#host.moveOn()
      this.#reset(NGHTTP2_REFUSED_STREAM)
      return
    }
    const route = deps.lookup(host, head, this.#calls.caller.proto)
    // The relay's own names speak HTTP/1.1.
    if (route === 'own') this.#reset(NGHTTP2_HTTP_1_1_REQUIRED)
    else if (typeof route === 'string') this.onRefused(route)
    else this.#judge(head, route)
  }

  #judge(head: RequestHead, route: HttpRoute): void {
    this.#route = route
    const refusal = this.#calls.judge(head, route)
    if (refusal !== undefined) this.onRefused(refusal)
    else if (this.#body?.hold() === false) this.onRefused('relay.memory')
    else this.#host.upstreams.find(this)
  }

  onUpstream(upstream: Upstream): void {
    const head = this.#head
    if (this.#isOver || !head) {
      upstream.leave()
      return
    }
    this.#upstream = upstream
    const mayGoOn = upstream.ask(this, head, this.#calls.rewrite(head, false))
    if (this.#body) this.#body.start(head, mayGoOn)
    else upstream.sent()
  }

  /** It may not pass: counted, and answered with a page. */
  onRefused(key: ErrorKey): void {
    ;(this.#route ?? this.#host.deps).refused(key)
    this.#page(key)
  }

  onWritable(): void {
    this.#body?.goOn()
  }

  onHead(head: ReceivedHead): void {
    if (this.#stream.closed || this.#stream.destroyed) return
    if (head.isInterim) this.#interim(head)
    else {
      this.#hasBody = head.body !== 0 && !bodiless.has(head.status) && !this.#isHead
      const waitForTrailers = this.#hasBody && head.body === 'chunked'
      this.#waitsForTrailers = waitForTrailers
      // Node's types do not know the last one.
      const options = { endStream: !this.#hasBody, waitForTrailers, sendDate: false }
      this.#stream.respond(answerFields(head), options)
      if (waitForTrailers) this.#stream.once('wantTrailers', this.#onWantTrailers)
    }
  }

  onBody(bytes: Buffer, onTaken: () => void): void {
    if (!this.#hasBody || this.#stream.closed || this.#stream.destroyed) onTaken()
    else this.#stream.write(Buffer.from(bytes), onTaken)
  }

  onEnd(trailers: Fields | undefined): void {
    this.#trailers = trailers
    this.#upstream = undefined
    this.#end()
  }

  onLost(key: ErrorKey, isUntouched: boolean): void {
    const wasReused = this.#upstream?.isReused === true
    this.#upstream = undefined
    if (this.#isOver) return
    if (isUntouched && wasReused && this.isRepeatable) this.#host.upstreams.findFresh(this)
    else this.#giveUp(key)
  }

  setResting(isResting: boolean): void {
    this.#body?.setResting(isResting)
  }

  mayHave(bytes: Buffer): boolean {
    return this.#calls.mayHave(bytes)
  }

  write(bytes: Buffer): boolean {
    return this.#upstream?.write(bytes) ?? true
  }

  onSent(): void {
    this.#upstream?.sent()
  }

  onBodyRefused(key: ErrorKey): void {
    this.#giveUp(key, key)
  }

  onRead(startMs: number, bytes: number): void {
    this.#host.worked(startMs, bytes)
  }

  /** Call it four times in the time that nothing may move. */
  look(): void {
    const progress = this.#upstream?.progress ?? 0
    this.#stillTotal = progress === this.#lastProgress ? this.#stillTotal + 1 : 0
    this.#lastProgress = progress
    if (this.#stillTotal < 4) return
    this.#giveUp(this.#body?.isVisitorLate ? 'http.body_deadline' : 'http.answer_deadline')
  }

  #interim(head: ReceivedHead): void {
    this.#interimBytes += head.bytes.length
    if (this.#interimBytes > interimBytesMax) return
    this.#stream.additionalHeaders({ ...fieldsByName(head), ':status': head.status })
  }

  readonly #onWantTrailers = (): void => {
    if (this.#stream.closed) return
    this.#stream.sendTrailers(this.#trailers ? fieldsByName(this.#trailers) : {})
    if (this.#isOver) setImmediate(this.#refuseRest)
  }

  /** No whole answer comes from the upstream. */
  #giveUp(key: ErrorKey, shown = blameless(key)): void {
    this.#upstream?.leave()
    this.#upstream = undefined
    this.#host.upstreams.forget(this)
    if (this.#stream.headersSent) this.#cut()
    else {
      this.#route?.refused(key)
      this.#page(shown)
    }
  }

  /** Answers with a page of ours. Like any answer it is HTTP/1.1 first. */
  #page(key: ErrorKey, asked = this.#head?.bytes ?? Buffer.alloc(0)): void {
    if (this.#isOver || this.#stream.closed || this.#stream.destroyed) return
    const { abuseUrl, httpsPort } = this.#host.deps
    const head = this.#head
    // Behind a trusted proxy a visitor may have come by plain HTTP all the same.
    const fields =
      key === 'http.https_only' && head ? [`Location: ${this.#calls.secureUrl(head, httpsPort())}`] : []
    const parser = new AnswerParser({
      onHead: (head) => this.onHead(head),
      onBody: (bytes) => this.onBody(bytes, () => {}),
      onEnd: () => this.#end(),
      onBroken() {},
    })
    parser.asked(this.#isHead ? 'HEAD' : 'GET')
    parser.heard(renderPage(key, { bytes: asked, host: head?.host, abuseUrl, fields }))
  }

  /** The answer is written completely. */
  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    const stream = this.#stream
    if (stream.destroyed) return
    // Trailers follow where they are awaited.
    stream.end(() => this.#waitsForTrailers || setImmediate(this.#refuseRest))
  }

  /**
   * Nobody reads the rest of the request (RFC 9113 section 8.1). This must come behind the whole answer: when a
   * connection is lost, node:http2 forgets a stream that was closed with bytes still to send, and nghttp2 then asks for
   * them without an end, which stops the process and fills its memory.
   */
  readonly #refuseRest = (): void => {
    const { closed, destroyed } = this.#stream
    if (this.#body?.isSent === false && !closed && !destroyed) this.#stream.close(NGHTTP2_NO_ERROR)
  }

  /** The answer ends in the middle. `close` would end it in order first, as if it were whole. */
  #cut(): void {
    this.#isOver = true
    this.#stream.destroy(new Error('The answer is not complete'))
  }

  #reset(code: number): void {
    this.#isOver = true
    this.#stream.close(code)
  }

  readonly #onClose = (): void => {
    const isTakenBack = !this.#isOver
    this.#isOver = true
    this.#body?.close()
    this.#host.upstreams.forget(this)
    this.#upstream?.leave()
    this.#upstream = undefined
    this.#host.onOver(this, isTakenBack)
  }
}
