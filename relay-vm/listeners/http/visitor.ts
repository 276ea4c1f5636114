/**
 * One visitor connection of http tunnels, plain or under TLS. Its first request chooses the tunnel; every later one is
 * scanned too and must name the same host, or it is refused. Answers come back unread.
 *
 *   scanning ──▶ awaiting ──▶ raw       an Upgrade request was sent: bytes behind it are held until the agent says
 *     │   ▲ ◀──────┘                    whether the upstream switched (raw) or not (scanning goes on)
 *     ▼   │
 *   settling ──▶ ended                  waits for the end of the upstream's answers, then answers with a page,
 *                                       or starts a fresh stream for a later Upgrade
 *   last ──────▶ ended                  the relay leaves: a request was sent with `Connection: close`, none follows it
 */
import type { Socket } from 'node:net'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { RequestScanner, type ScanEvent } from '@porttunneler/shared/http/scanner'
import { VisitorTimers } from '@porttunneler/shared/http/visitor-timers'
import { limits } from '@porttunneler/shared/protocol/limits'
import { Calls } from './calls.ts'
import type { HttpConnection, HttpRoute, HttpVisitorDeps, HttpVisitorOptions } from './deps.ts'
import { blameless, Ending, type EndingParts } from './ending.ts'
import { type Exchange, type ExchangeEvents, openExchange } from './exchange.ts'
import { VisitorReading } from './reading.ts'

type State = 'scanning' | 'awaiting' | 'raw' | 'settling' | 'last' | 'ended'

/** Serves the connection until it is closed. The first request has 10 s from now. */
export function serveHttpVisitor(options: HttpVisitorOptions, deps: HttpVisitorDeps): HttpConnection {
  return new HttpVisitor(options, deps)
}

class HttpVisitor implements ExchangeEvents, HttpConnection, EndingParts {
  readonly #socket: Socket
  readonly #options: HttpVisitorOptions
  readonly #deps: HttpVisitorDeps
  readonly reading: VisitorReading
  readonly #ending: Ending
  readonly scanner = new RequestScanner()
  readonly calls: Calls
  #state: State = 'scanning'
  #route: HttpRoute | undefined
  #host = ''
  #exchange: Exchange | undefined
  #retired: Exchange | undefined
  /** The agent's answer, when it came before the body of the upgrade request had passed. */
  #upgradeAnswer: boolean | undefined
  #upgradePending = false
  #isLeaving = false
  /** The upstream was asked to close after the present request. */
  #isLast = false
  /** A request was forwarded and its body has not ended. */
  #isInBody = false
  #sawEnd = false
  readonly timers: VisitorTimers

  constructor(options: HttpVisitorOptions, deps: HttpVisitorDeps) {
    this.#options = options
    this.#deps = deps
    this.#socket = options.socket
    this.reading = new VisitorReading(options, deps)
    this.#ending = new Ending(options, deps, this)
    this.calls = new Calls(options)
    this.timers = new VisitorTimers(deps.clock)
    this.#socket.on('end', this.#onEnd).on('close', this.#onClose)
    this.timers.awaitHead(this.#onHeadDeadline)
    this.reading.start(this)
  }

  get isUnasked(): boolean {
    return this.#state !== 'ended' && this.#exchange === undefined
  }

  startLeaving(): void {
    this.#isLeaving = true
  }

  leaveIfDone(): void {
    const isBetween = this.#state === 'scanning' && !this.#isInBody && this.scanner.pendingBytes === 0
    const isDone = (isBetween || this.#state === 'last') && (this.#exchange?.isAnswered ?? true)
    if (this.timers.hasPaused(isDone) || (isDone && this.#state === 'last')) this.#finish()
  }

  onBytes(chunk: Buffer): void {
    if (this.#state === 'raw') this.#send(chunk)
    else if (this.#state !== 'ended') {
      this.scanner.push(chunk)
      this.#pump()
      this.scanner.own()
    }
  }

  readonly #onEnd = (): void => {
    if (this.reading.isCutShort) return
    this.#sawEnd = true
    if (this.#exchange) this.#endIfDrained()
    else if (this.#state === 'scanning') this.#finish('stream.aborted')
  }

  readonly #onClose = (): void => {
    this.#state = 'ended'
    this.timers.clear()
    this.#retired?.leave()
    this.#exchange?.leave()
  }

  /** Passes on all that is complete, as long as it may; the rest waits in the scanner, which is bounded. */
  #pump(): void {
    while (this.#state === 'scanning' && !this.reading.isFull) {
      const event = this.scanner.next()
      if (event === undefined) {
        if (this.scanner.isInHead || !this.#route) this.timers.awaitHead(this.#onHeadDeadline)
        else this.timers.forgetHead()
        break
      }
      this.#take(event)
    }
    const holds = this.#state !== 'scanning' && this.#state !== 'raw'
    this.reading.setHeld(holds && this.scanner.pendingBytes >= limits.requestHeadBytes)
    this.#endIfDrained()
  }

  #take(event: ScanEvent): void {
    if (event.kind === 'head') this.#onHead(event)
    else if (event.kind === 'refused') this.#refuse(event.key)
    else if (!this.calls.mayHave(event.bytes)) this.#refuse('http.body_limit')
    else {
      this.#send(event.bytes)
      if (event.isLast) this.#requestSent()
    }
  }

  #onHead(head: RequestHead): void {
    this.timers.forgetHead()
    const place = this.calls.placeOf(head, this.#route && this.#host)
    if (place === 'here') this.#call(head)
    else if (place === 'elsewhere') this.#settle(() => this.#startAfresh(() => this.#callAgain(head)))
    else this.#refuse('http.misdirected', head)
  }

  /** A proxy's connection goes on with a request for another visitor or another host. */
  #callAgain(head: RequestHead): void {
    this.timers.forgetProgress()
    this.#route = undefined
    this.#call(head)
  }

  #call(head: RequestHead): void {
    const host = this.calls.take(head)
    if (this.#route) this.#pass(head, this.#route)
    else this.#onFirstHead(head, host)
  }

  /** Forwards it as far as the policy of the tunnel allows. */
  #pass(head: RequestHead, route: HttpRoute): void {
    const refusal = this.calls.judge(head, route)
    if (refusal !== undefined) this.#refuse(refusal, head)
    else if (!this.#exchange) this.#openAndForward(head, route)
    else if (head.wantsUpgrade && this.#exchange.hasForwarded)
      this.#settle(() => this.#startAfresh(() => this.#openAndForward(head, route)))
    else this.#forward(head)
  }

  #onFirstHead(head: RequestHead, host: string): void {
    const finding = this.#deps.welcome?.(this.#options, this.calls.caller, host, head)
    if (finding === undefined) this.#choose(head, host)
    else if (typeof finding === 'string') this.#refuse(finding, head)
    else {
      this.#state = 'settling'
      void finding.then((sibling) => this.#onSibling(sibling, head, host))
    }
  }

  #onSibling(sibling: Socket | undefined, head: RequestHead, host: string): void {
    if (this.#state !== 'settling') sibling?.destroy()
    else if (sibling) this.#deps.passOn?.(this.#options, sibling, this.#detach(head))
    else {
      this.#state = 'scanning'
      this.#choose(head, host)
      this.#pump()
    }
  }

  #choose(head: RequestHead, host: string): void {
    const route = this.#deps.lookup(host, head, this.calls.caller.proto)
    if (route === 'own') this.#deps.serveOwn(this.#socket, this.#detach(head))
    else if (typeof route === 'string') this.#refuse(route, head)
    else {
      this.#route = route
      this.#host = host
      this.timers.awaitProgress(() => this.#exchange?.progress ?? 0, this.#giveUp)
      this.#pass(head, route)
    }
  }

  /** If it cannot, it turns the visitor away, which the route has counted. */
  #openAndForward(head: RequestHead, route: HttpRoute): void {
    const info = this.calls.infoOf(head)
    const opened = openExchange({ route, socket: this.#socket, turn: this.#deps.turn, info }, this)
    if (typeof opened === 'string') this.#answer(opened, head)
    else {
      this.#exchange = opened
      this.#forward(head)
    }
  }

  #forward(head: RequestHead): void {
    const isLast = this.#isLeaving && !head.wantsUpgrade
    const bytes = this.calls.rewrite(head, isLast)
    if (this.#exchange?.forward(head, bytes) === false) this.reading.setFull(true)
    this.#isLast = isLast
    this.#upgradePending = head.wantsUpgrade
    this.#isInBody = head.body !== 0
    if (!this.#isInBody) this.#requestSent()
  }

  #send(bytes: Buffer): void {
    if (this.#exchange?.write(bytes) === false) this.reading.setFull(true)
  }

  #requestSent(): void {
    this.#isInBody = false
    if (this.#isLast) this.#state = 'last'
    if (!this.#upgradePending) return
    this.#upgradePending = false
    this.#state = 'awaiting'
    if (this.#upgradeAnswer !== undefined) this.onUpgradeAnswer(this.#upgradeAnswer)
  }

  /** Leaves the socket to others. @returns all that was read from it */
  #detach(head: RequestHead): Buffer {
    this.#state = 'ended'
    this.timers.clear()
    this.#retired?.leave()
    this.reading.detach()
    this.#socket.off('end', this.#onEnd).off('close', this.#onClose)
    return Buffer.concat([this.calls.reread(head), this.scanner.take()])
  }

  onWritable(): void {
    this.reading.setFull(false)
    this.#pump()
  }

  onUpgradeAnswer(isUpgraded: boolean): void {
    this.#upgradeAnswer = isUpgraded
    if (this.#state !== 'awaiting') return
    this.#upgradeAnswer = undefined
    this.#state = isUpgraded ? 'raw' : 'scanning'
    if (isUpgraded) {
      // Like a tcp tunnel from here: no idle limit, TCP keep-alive watches the visitor.
      this.timers.forgetProgress()
      const held = this.scanner.take()
      if (held.length > 0) this.#send(held)
    }
    this.#pump()
  }

  onFin(unanswered: RequestHead | undefined): void {
    if (this.#state === 'ended') return
    if (unanswered) this.#refuseUnanswered('http.upstream_silent', unanswered)
    else if (this.#state === 'last' || this.#state === 'settling') this.#finish()
    else this.#socket.end()
  }

  onReset(key: ErrorKey, unanswered: RequestHead | undefined, hadEnded: boolean): void {
    if (this.#state === 'ended') return
    if (unanswered) this.#refuseUnanswered(key, unanswered)
    else if (hadEnded) this.#finish(key)
    else this.#cut(key)
  }

  onLate(): void {
    if (this.#state !== 'ended') this.#cut('stream.aborted')
  }

  /** Turns the visitor away, behind the answers to its correct requests. */
  #refuse(key: ErrorKey, head?: RequestHead): void {
    ;(this.#route ?? this.#deps).refused(key)
    if (this.#isInBody) this.#giveUp(key)
    else if (this.#exchange) this.#settle(() => this.#answer(key, head))
    else this.#answer(key, head)
  }

  #refuseUnanswered(key: ErrorKey, head: RequestHead | undefined): void {
    this.#route?.refused(key)
    this.#answer(blameless(key), head)
  }

  /** The idle limit ends this wait as any other. */
  #settle(then: () => void): void {
    this.#state = 'settling'
    this.#exchange?.whenAnswered((mayFollow) => {
      if (this.#state === 'settling') mayFollow ? then() : this.#finish()
    })
  }

  /**
   * When all requests are answered, `begin` gets a stream of its own. A later Upgrade needs it, so that the agent knows
   * which answer to look at.
   */
  #startAfresh(begin: () => void): void {
    this.#retired?.leave()
    this.#retired = this.#exchange
    this.#retired?.retire()
    this.#exchange = undefined
    this.#upgradeAnswer = undefined
    this.#state = 'scanning'
    begin()
    this.#pump()
  }

  #answer(key: ErrorKey, head: RequestHead | undefined): void {
    this.#ending.write(key, head)
    this.#finish(key)
  }

  #finish(key?: ErrorKey): void {
    if (key) this.#exchange?.reset(key)
    else this.#exchange?.end()
    this.#state = 'ended'
    this.#ending.finish()
  }

  #cut(key: ErrorKey): void {
    this.#exchange?.cut(key)
    this.#state = 'ended'
    this.#ending.cut(key)
  }

  /** Ends the upstream's side when the visitor has half-closed and all its bytes are on their way. */
  #endIfDrained(): void {
    if (!this.#sawEnd || this.reading.isFull) return
    if (this.#state === 'scanning' || this.#state === 'raw' || this.#state === 'last') this.#exchange?.end()
  }

  /** Ends with a page if that can be the answer to the present request. `refused`: the reason that was counted. */
  readonly #giveUp = (refused?: ErrorKey): void => {
    const end = this.#exchange?.lateEnd(this.#isInBody && !this.reading.isFull)
    if (!end || end.kind === 'close') this.#finish('stream.aborted')
    else if (refused === undefined)
      end.kind === 'page' ? this.#refuseUnanswered(end.key, end.head) : this.#cut('stream.aborted')
    else if (end.kind === 'page' && this.#exchange?.hasOneUnanswered) this.#answer(refused, end.head)
    else this.#settle(() => this.#finish('stream.aborted'))
  }

  readonly #onHeadDeadline = (): void => {
    // A browser opens connections that it may need later: without a request there is no answer.
    if (this.scanner.pendingBytes === 0) this.#finish('http.head_deadline')
    else this.#refuse('http.head_deadline')
  }
}
