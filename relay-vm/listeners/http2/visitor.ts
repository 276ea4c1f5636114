/**
 * One visitor connection of http tunnels that speaks HTTP/2, under TLS that ends here. Node's http2 frames it; each
 * request is checked and routed as if it had come by HTTP/1.1 (request.ts). The connection is for the name that TLS
 * named, and a request for another one gets 421: otherwise a limit or a close that is meant for one tunnel would hit
 * another. docs/decisions/0064-http2-at-the-relay.md
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Timer } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { keepBehindStreams } from '@porttunneler/shared/http/native-part'
import { HeadRewriter } from '@porttunneler/shared/http/rewrite'
import type { JointWork, Worker } from '@porttunneler/shared/mux/work-share'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { Calls } from '../http/calls.ts'
import type { HttpConnection, HttpVisitorDeps, HttpVisitorOptions } from '../http/deps.ts'
import type { BodyMeans } from './body-out.ts'
import { Http2Request, type RequestHost } from './request.ts'
import { ResetRate, sessionOptions, windowBytes, windowBytesTight } from './settings.ts'
import { Upstreams } from './upstreams.ts'

type Waiting = { readonly request: Http2Request; readonly raw: readonly string[] }

const looks = 4
/** How long a visitor may keep its end open after ours. */
const lingerMs = 5_000

/** Serves the connection until it is closed. The first request has 10 s from now. */
export function serveHttp2Visitor(options: HttpVisitorOptions, deps: HttpVisitorDeps): HttpConnection {
  return new Http2Visitor(options, deps)
}

class Http2Visitor implements HttpConnection, RequestHost, Worker {
  readonly options: HttpVisitorOptions
  readonly deps: HttpVisitorDeps
  readonly upstreams: Upstreams
  readonly body: BodyMeans
  readonly rewriter: HeadRewriter
  readonly #session: ServerHttp2Session
  readonly #requests = new Set<Http2Request>()
  readonly #work: JointWork | undefined
  /** Requests that have not begun: they came in this read, or their address has had its part of the loop. */
  readonly #waiting: Waiting[] = []
  #beginning: NodeJS.Immediate | undefined
  readonly #takenBack: ResetRate
  #isWaiting = false
  #isUnasked = true
  /** The visitor for whom the last request was, behind a proxy. */
  #welcomed = ''
  #firstRequest: Timer | undefined
  #idle: Timer | undefined
  #linger: Timer | undefined
  #stillTotal = 0

  constructor(options: HttpVisitorOptions, deps: HttpVisitorDeps) {
    const { clock, memory, work } = deps
    const isTight = memory !== undefined && memory.fill > limits.comfortShare
    this.options = { ...options, isHop: true }
    this.deps = deps
    this.upstreams = new Upstreams(clock)
    this.body = {
      windowBytes: isTight ? windowBytesTight : windowBytes,
      memory,
      monotonic: () => clock.monotonic(),
    }
    this.rewriter = new HeadRewriter({ address: options.origin.address, proto: 'https' })
    this.#work = work?.(options, this)
    this.#takenBack = new ResetRate(() => clock.monotonic())
    this.#session = performServerHandshake(options.socket, sessionOptions(isTight))
    keepBehindStreams(this.#session)
    this.#session.on('stream', this.#onStream).on('error', this.#onError)
    // Nobody half-closes a connection of HTTP/2 and waits for answers.
    options.socket.once('end', () => options.socket.destroy()).once('close', this.#onClose)
    this.#firstRequest = clock.after(limits.headDeadlineMs, this.#leave)
    this.#idle = clock.every(limits.httpIdleMs / looks, this.#look)
  }

  get isUnasked(): boolean {
    return this.#isUnasked
  }

  startLeaving(): void {
    this.#leave()
  }

  /** GOAWAY has told the visitor; the connection ends with its last request. */
  leaveIfDone(): void {}

  moveOn(): void {
    this.#leave()
  }

  welcome(calls: Calls, host: string): ErrorKey | undefined {
    const { address } = calls.caller
    // What one host demands of its visitors, another may not have asked for.
    const which = `${address} ${host}`
    if (!this.#isUnasked && which === this.#welcomed) return undefined
    this.#isUnasked = false
    const found = this.deps.welcome?.(this.options, calls.caller, host)
    const refusal = typeof found === 'string' ? found : undefined
    // The next request of a visitor that was refused is asked about again.
    this.#welcomed = refusal === undefined ? which : ''
    return refusal
  }

  worked(startMs: number, bytes: number): void {
    this.#work?.read(startMs, bytes)
  }

  /** The address has had its part of the loop, or may go on. */
  setWaiting(isWaiting: boolean): void {
    this.#isWaiting = isWaiting
    for (const request of this.#requests) request.setResting(isWaiting)
    if (!isWaiting) this.#beginning ??= setImmediate(this.#begin)
  }

  onOver(request: Http2Request, isTakenBack: boolean): void {
    this.#requests.delete(request)
    const { socket } = this.options
    // A visitor that goes away as a whole takes nothing back: how often one may come is limited already.
    const isHere = !this.#session.destroyed && !socket.destroyed
    if (isTakenBack && isHere && !this.#mayTakeBack()) {
      this.deps.refused('http.taken_back')
      this.#session.destroy(new Error('Too many requests taken back'), constants.NGHTTP2_ENHANCE_YOUR_CALM)
    } else if (this.#session.closed) this.#awaitEnd()
  }

  #mayTakeBack(): boolean {
    return this.#takenBack.take() && this.deps.mayTakeBack?.(this.options.origin.address) !== false
  }

  readonly #onStream = (stream: ServerHttp2Stream, _fields: object, _flags: number, raw: string[]): void => {
    this.#firstRequest?.clear()
    const request = new Http2Request(stream, this)
    this.#requests.add(request)
    this.#waiting.push({ request, raw })
    // Behind the present read, which may take back what it asked for.
    this.#beginning ??= setImmediate(this.#begin)
  }

  readonly #begin = (): void => {
    this.#beginning = undefined
    for (let next = this.#takeWaiting(); next; next = this.#takeWaiting()) {
      if (next.request.isGone) continue
      const startMs = this.body.monotonic()
      next.request.begin(next.raw)
      this.worked(startMs, 0)
    }
  }

  #takeWaiting(): Waiting | undefined {
    return this.#isWaiting ? undefined : this.#waiting.shift()
  }

  readonly #onError = (err: Error): void => {
    this.deps.log.debug({ err, visitor: this.options.origin.address }, 'An HTTP/2 connection failed')
  }

  /** Takes no more requests, tells the visitor which ones were taken, and ends with the last of them. */
  readonly #leave = (): void => {
    this.#session.close()
    this.#awaitEnd()
  }

  #awaitEnd(): void {
    const { socket } = this.options
    if (this.#requests.size === 0 && !socket.destroyed)
      this.#linger ??= this.deps.clock.after(lingerMs, () => socket.destroy())
  }

  readonly #look = (): void => {
    for (const request of [...this.#requests]) request.look()
    this.upstreams.look()
    this.#stillTotal = this.#requests.size === 0 ? this.#stillTotal + 1 : 0
    if (this.#stillTotal >= looks) this.#leave()
  }

  readonly #onClose = (): void => {
    this.#firstRequest?.clear()
    this.#idle?.clear()
    this.#linger?.clear()
    this.#waiting.length = 0
    clearImmediate(this.#beginning)
    this.#work?.close()
    this.upstreams.close()
  }
}
