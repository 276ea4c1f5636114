/**
 * Stands between a visitor's stream and the upstream when the agent was asked to look at requests. Each head goes
 * through the stages (pipeline.ts), which change or answer it. Bodies pass unchanged, and so do answers unless a stage
 * changes their heads (answers.ts). The relay's own scanner frames requests, so the two agree where one begins.
 *
 *   scanning ──▶ awaiting ──▶ raw        an Upgrade was sent: what follows waits for the upstream's answer
 *     │  ▲ ◀────────┘                    holding: such a request itself waits until earlier ones are answered
 *     ▼
 *   settling ──▶ ended                   a refusal waits until earlier requests are answered, then is the last answer
 */
import { codes, type ErrorKey } from '@porttunneler/shared/base/errors'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import { VisitorTimers } from '@porttunneler/shared/http/visitor-timers'
import type { SplicedStream } from '@porttunneler/shared/mux/splice'
import type { VisitorStream } from '../agent/visitor-stream.ts'
import {
  type AnswerFault,
  type Answers,
  type AskedRequest,
  answersOf,
  askedRequest,
  unread,
} from './answers.ts'
import { Credit } from './credit.ts'
import type { GateOptions } from './gate-options.ts'
import { HeadEdit } from './head-edit.ts'
import { lateEnd } from './late-end.ts'
import { firstReply, type Reply } from './pipeline.ts'
import { ownAnswer } from './replies.ts'
import { UpgradeReader } from './upgrade.ts'
import { continueBytes, type HeldParts, type HeldWebhook } from './webhooks/held-webhook.ts'

type State = 'scanning' | 'holding' | 'awaiting' | 'raw' | 'settling' | 'ended'

/** A visitor who was answered here may finish what it is sending: a reset would destroy the answer (RFC 9112, 9.6). */
const lingerMs = 5_000

export class RequestGate implements SplicedStream {
  readonly #stream: VisitorStream
  readonly #options: GateOptions
  readonly #scanner = new RequestScanner()
  readonly #answers: Answers
  #reader: UpgradeReader | undefined
  #state: State = 'scanning'
  #upgradeAnswer: 'upgraded' | 'plain' | undefined
  #upgradePending = false
  #forwardedTotal = 0
  readonly #credits: Credit
  readonly #timers: VisitorTimers
  /** An answer of our own that waits for the end of earlier ones. */
  #reply: { readonly reply: Reply; readonly asked: AskedRequest } | undefined
  /** End-to-end: an Upgrade behind requests that are not answered yet, and the last request that was sent on. */
  #held: RequestHead | undefined
  #lastAsked: AskedRequest | undefined
  #hasHeard = false
  /** A request that is checked when it is whole. */
  #webhook: HeldWebhook | undefined

  constructor(stream: VisitorStream, options: GateOptions) {
    this.#stream = stream
    this.#options = options
    if (options.awaitsUpgrade) this.#reader = new UpgradeReader()
    this.#credits = new Credit((bytes) => stream.consumed(bytes))
    this.#timers = new VisitorTimers(options.clock)
    this.#answers = answersOf(stream, options.stages, (fault) => this.#onBroken(fault))
  }

  /** Where TLS ends here, nobody else bounds the time that a visitor may take. Call it when the handshake is over. */
  start(): void {
    if (this.#options.endToEnd && !this.#hasEnded) this.#timers.awaitHead(this.#onHeadDeadline)
  }

  /** From the visitor. */
  onData(chunk: Buffer): void {
    this.#credits.received(chunk.length)
    if (this.#state === 'raw') this.#deliver(chunk)
    else if (this.#state !== 'ended') {
      this.#scanner.push(chunk)
      this.#pump()
      // The stream reuses its memory.
      this.#scanner.own()
    }
    this.#credit()
  }

  onFin(): void {
    if (this.#state === 'settling' || this.#hasEnded) return
    if (this.#webhook) this.#answerWith({ kind: 'page', key: 'webhook.signature' }, this.#webhook.asked)
    else if (this.#options.endToEnd && this.#forwardedTotal === 0) this.#endWith('stream.aborted')
    else this.#options.finish()
  }

  get #hasEnded(): boolean {
    return this.#state === 'ended'
  }

  /** Nothing more is sent or read. */
  close(): void {
    this.#state = 'ended'
    this.#timers.clear()
    this.#webhook = this.#webhook?.close()
    this.#scanner.take()
  }

  // --- what the splice with the upstream calls ---

  write(chunk: Buffer): boolean {
    if (this.#state === 'ended') return true
    this.#hasHeard = true
    if (this.#state === 'raw') return this.#stream.write(chunk)
    const answer = this.#reader && this.#upgradeAnswer === undefined ? this.#reader.read(chunk) : undefined
    if (answer !== undefined) this.#stream.answeredUpgrade(answer)
    const isTaken = this.#answers.pass(chunk)
    if (this.#hasEnded) return true
    if (answer !== undefined) {
      this.#upgradeAnswer = answer
      this.#obeyAnswer()
    }
    this.#tellIfAnswered()
    this.#goOn()
    return isTaken
  }

  consumed(bytes: number): void {
    this.#credits.taken(bytes)
    this.#credit()
  }

  end(): void {
    if (this.#state === 'ended' || !this.#answers.ended() || this.failed('stream.aborted')) return
    this.#stream.end()
    // That answer may last as long as its connection: nothing can follow it.
    if (this.#state === 'settling') this.#leave('stream.aborted')
  }

  resetBehind(key: ErrorKey): void {
    if (this.#state !== 'ended' && !this.failed(key)) this.#stream.resetBehind(key)
  }

  /**
   * The upstream cannot be reached, or has ended without a word. Where the relay cannot do it, the visitor gets a page.
   * @returns whether it did
   */
  failed(key: ErrorKey): boolean {
    const asked = this.#lastAsked
    if (!asked || this.#hasHeard || this.#state === 'settling' || this.#hasEnded) return false
    this.#tell({ kind: 'page', key: codes[key].http >= 500 ? key : 'stream.aborted' }, asked)
    return true
  }

  // --- requests ---

  #pump(): void {
    while (this.#state === 'scanning') {
      const event = this.#scanner.next()
      if (event === undefined) {
        if (this.#scanner.isInHead || (this.#forwardedTotal === 0 && !this.#webhook)) this.start()
        else this.#timers.forgetHead()
        return
      }
      if (event.kind === 'head') this.#takeHead(event)
      else if (event.kind === 'body') this.#onBody(event.bytes, event.isLast)
      else if (this.#options.endToEnd) this.#answerWith({ kind: 'page', key: event.key }, unread)
      // The relay scans by the same rules, so this sender got past it.
      else this.#cut(event.key)
    }
  }

  #takeHead(head: RequestHead): void {
    this.#timers.forgetHead()
    if (this.#options.endToEnd && head.wantsUpgrade && !this.#answers.isComplete) {
      this.#state = 'holding'
      // Its bytes are the scanner's, which goes on without them.
      this.#held = { ...head, bytes: Buffer.from(head.bytes) }
    } else this.#onHead(head)
  }

  /** Sends on the request that was held, when everything before it is answered. */
  #goOn(): void {
    const held = this.#held
    if (this.#state !== 'holding' || !held || !this.#answers.isComplete) return
    this.#held = undefined
    this.#state = 'scanning'
    this.#onHead(held)
    this.#pump()
    this.#credit()
  }

  #onHead(head: RequestHead): void {
    const rewriter = this.#options.endToEnd?.rewriter
    const edit = new HeadEdit(rewriter ? rewriter.rewrite(head) : head.bytes)
    const asked = askedRequest(head, edit)
    const reply = firstReply(this.#options, { head, edit, visitorAddress: this.#options.visitorAddress })
    if (reply) this.#answerWith(reply, asked)
    else this.#admit({ head, edit, asked })
  }

  #admit(request: HeldParts): void {
    const { webhooks, endToEnd } = this.#options
    const stream = this.#stream
    if (endToEnd) this.#timers.awaitProgress(() => stream.bytesIn + stream.bytesOut, this.#giveUp)
    this.#webhook = webhooks?.hold(request, (reply) => this.#answerWith(reply, request.asked))
    if (!this.#webhook) this.#send(request)
    else if (this.#webhook.mayContinue && this.#answers.isComplete) stream.write(continueBytes)
    if (this.#webhook || request.head.body === 0) this.#onBody(Buffer.alloc(0), request.head.body === 0)
  }

  #onBody(bytes: Buffer, isLast: boolean): void {
    const webhook = this.#webhook
    const reply = webhook?.take(bytes, isLast, this.#options.clock.now())
    if (webhook && reply) this.#answerWith(reply, webhook.asked)
    else if (!webhook) this.#deliver(bytes)
    else if (isLast) {
      this.#send(webhook)
      this.#deliver(webhook.body)
      this.#webhook = webhook.close()
    }
    if (isLast && !reply) this.#onRequestEnd()
  }

  #send({ head, edit, asked }: HeldParts): void {
    const { endToEnd } = this.#options
    this.#answers.asked(asked)
    if (endToEnd) this.#lastAsked = asked
    if (endToEnd && head.wantsUpgrade) {
      this.#reader = new UpgradeReader()
      this.#upgradeAnswer = undefined
    }
    // Nobody knows which answer belongs to a later Upgrade, so the relay gives each its own stream.
    const isFirst = this.#forwardedTotal === 0 || endToEnd !== undefined
    this.#upgradePending = head.wantsUpgrade && this.#reader !== undefined && isFirst
    this.#forwardedTotal += 1
    this.#deliver(edit.toBuffer())
  }

  #onRequestEnd(): void {
    if (!this.#upgradePending) return
    this.#upgradePending = false
    this.#state = 'awaiting'
    this.#obeyAnswer()
  }

  #obeyAnswer(): void {
    if (this.#state !== 'awaiting' || this.#upgradeAnswer === undefined) return
    this.#state = this.#upgradeAnswer === 'upgraded' ? 'raw' : 'scanning'
    if (this.#state === 'scanning') this.#pump()
    else {
      // Like a tcp tunnel from here.
      this.#timers.forgetProgress()
      const held = this.#scanner.take()
      if (held.length > 0) this.#deliver(held)
    }
    this.#credit()
  }

  #deliver(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#credits.delivered(bytes.length)
    this.#options.deliver(bytes)
  }

  #credit(): void {
    const isHeld = this.#state === 'awaiting' || this.#state === 'settling' || this.#state === 'holding'
    this.#credits.settle(isHeld ? this.#scanner.pendingBytes : 0)
  }

  // --- visitors and upstreams that keep the other waiting ---

  readonly #onHeadDeadline = (): void => {
    const key = 'http.head_deadline'
    // A browser opens connections that it may need later: without a request there is no answer.
    if (this.#scanner.pendingBytes > 0) this.#answerWith({ kind: 'page', key }, unread)
    else this.#endWith(key)
  }

  /** Nothing has moved for minutes. */
  readonly #giveUp = (): void => {
    const held = this.#answers.isComplete ? this.#webhook?.asked : undefined
    const asked = held ?? this.#lastAsked
    const isVisitorLate = !this.#scanner.isBetween && !this.#credits.isAwaited
    const end = held ? 'http.body_deadline' : lateEnd(this.#answers, isVisitorLate)
    if (end === 'close' || !asked) this.#endWith(undefined)
    else if (end === 'cut') this.#breakOff('stream.aborted')
    else this.#tell({ kind: 'page', key: end }, asked)
  }

  #endWith(key: ErrorKey | undefined): void {
    this.#stream.end()
    this.#leave(key)
  }

  // --- answers of our own ---

  /** The relay ends a stream on which the upstream is silent for minutes. */
  #answerWith(reply: Reply, asked: AskedRequest): void {
    this.#state = 'settling'
    this.#webhook = this.#webhook?.close()
    this.#timers.forgetHead()
    this.#reply = { reply, asked }
    // A visitor who asks for more takes that answer for complete, and we cannot tell.
    if (this.#answers.isLost) this.end()
    else this.#tellIfAnswered()
  }

  #tellIfAnswered(): void {
    const waiting = this.#reply
    if (!waiting || !this.#answers.isComplete) return
    this.#reply = undefined
    if (this.#answers.mayFollow) this.#tell(waiting.reply, waiting.asked)
    else this.end()
  }

  #tell(reply: Reply, asked: AskedRequest): void {
    this.#leave(reply.kind === 'page' ? reply.key : undefined)
    for (const bytes of ownAnswer(reply, asked, this.#options.stages)) this.#stream.write(bytes)
    this.#stream.end()
  }

  /** The upstream's answer is no HTTP that everybody reads alike. */
  #onBroken({ unanswered, isUnasked }: AnswerFault): void {
    if (unanswered) this.#tell({ kind: 'page', key: 'upstream.answer' }, unanswered)
    else if (isUnasked) {
      // It has nothing more to say to a visitor, who may ask again on another connection.
      this.#endWith(undefined)
    } else this.#breakOff('upstream.answer')
  }

  /** The visitor sees that its answer is incomplete. */
  #breakOff(key: ErrorKey): void {
    this.close()
    this.#stream.resetBehind(key)
    this.#options.onOver(key)
  }

  /** Drops what the visitor still sends, for a while. */
  #leave(key: ErrorKey | undefined): void {
    this.close()
    this.#options.onAnswered(key)
    this.#credits.forgive()
    this.#credit()
    this.#timers.awaitEnd(this.#options.clock.after(lingerMs, () => this.#cut(key ?? 'stream.aborted')))
  }

  #cut(key: ErrorKey): void {
    this.close()
    this.#stream.reset(key)
    this.#options.onOver(key)
  }
}
