/**
 * Stands between a visitor's stream and the upstream when the agent was asked to look at requests. Each head goes
 * through the stages (pipeline.ts), which change it or answer it. Bodies pass unchanged, and so do answers unless a
 * stage changes their heads (answers.ts). The relay's own scanner frames the requests, so the two cannot disagree
 * about where one begins.
 *
 *   scanning ──▶ awaiting ──▶ raw        an Upgrade was sent: what follows waits for the upstream's answer
 *     │  ▲ ◀────────┘                    holding: such a request itself waits until earlier ones are answered
 *     ▼
 *   settling ──▶ ended                   a refusal waits until earlier requests are answered, then is the last answer
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { codes, type ErrorKey } from '@porttunneler/shared/base/errors'
import type { RequestHead } from '@porttunneler/shared/http/head'
import type { HeadRewriter } from '@porttunneler/shared/http/rewrite'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import type { SplicedStream } from '@porttunneler/shared/mux/splice'
import type { VisitorStream } from '../agent/visitor-stream.ts'
import {
  type AnswerFault,
  type Answers,
  type AskedRequest,
  askedRequest,
  EditedAnswers,
  editedHead,
  PassedAnswers,
} from './answers.ts'
import { HeadEdit } from './head-edit.ts'
import type { Reply, Stage } from './pipeline.ts'
import { renderReply, statusOf } from './replies.ts'
import { UpgradeReader } from './upgrade.ts'

export type GateOptions = {
  readonly stages: readonly Stage[]
  readonly clock: Clock
  readonly visitorAddress: string
  readonly awaitsUpgrade: boolean
  /** TLS ends here, so nobody has looked at the requests before. */
  readonly endToEnd?: {
    /** The host that the handshake was for. */
    readonly host: () => string
    /** Makes heads as the relay sends them. */
    readonly rewriter: HeadRewriter
  }
  /** Bytes for the upstream, ours until it returns. The first ones belong to a request that was let in. */
  deliver(bytes: Buffer): void
  /** The visitor will send no more. */
  finish(): void
  /**
   * The visitor is about to be answered here: the upstream, if there is one, is no longer needed. `key`: why, unless it
   * is sent elsewhere.
   */
  onAnswered(key: ErrorKey | undefined): void
  /** The stream was reset. */
  onOver(key: ErrorKey): void
}

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
  /** Bytes from the stream, bytes passed on, how many of those the upstream took; and what was credited. */
  #received = 0
  #delivered = 0
  #taken = 0
  #credited = 0
  /** An answer of our own that waits for the end of earlier ones. */
  #reply: { readonly reply: Reply; readonly asked: AskedRequest } | undefined
  #timer: Timer | undefined
  /** End-to-end: an Upgrade behind requests that are not answered yet, and the last request that was sent on. */
  #held: RequestHead | undefined
  #lastAsked: AskedRequest | undefined
  #hasHeard = false

  constructor(stream: VisitorStream, options: GateOptions) {
    this.#stream = stream
    this.#options = options
    if (options.awaitsUpgrade) this.#reader = new UpgradeReader()
    const { stages } = options
    const write = (bytes: Buffer) => stream.write(bytes)
    this.#answers = stages.some(({ onAnswer }) => onAnswer)
      ? new EditedAnswers({ stages, write, onBroken: (fault) => this.#onBroken(fault) })
      : new PassedAnswers(write)
  }

  /** From the visitor. */
  onData(chunk: Buffer): void {
    this.#received += chunk.length
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
    if (this.#state !== 'settling' && this.#state !== 'ended') this.#options.finish()
  }

  get #hasEnded(): boolean {
    return this.#state === 'ended'
  }

  /** Nothing more is sent or read. */
  close(): void {
    this.#state = 'ended'
    this.#timer?.clear()
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
    this.#taken += bytes
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
      if (event === undefined) return
      if (event.kind === 'head') this.#takeHead(event)
      else if (event.kind === 'body') {
        this.#deliver(event.bytes)
        if (event.isLast) this.#onRequestEnd()
      } else if (this.#options.endToEnd) {
        const asked = { method: 'GET', isHttps: true, bytes: Buffer.alloc(0), host: '' }
        this.#answerWith({ kind: 'page', key: event.key }, asked)
      } else {
        // The relay scans by the same rules, so this sender got past it.
        this.#cut(event.key)
      }
    }
  }

  #takeHead(head: RequestHead): void {
    const waits = this.#options.endToEnd && head.wantsUpgrade && !this.#answers.isComplete
    if (!waits) {
      this.#onHead(head)
      return
    }
    this.#state = 'holding'
    // Its bytes are the scanner's, which goes on without them.
    this.#held = { ...head, bytes: Buffer.from(head.bytes) }
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
    const { stages, visitorAddress, endToEnd } = this.#options
    const edit = new HeadEdit(endToEnd ? endToEnd.rewriter.rewrite(head) : head.bytes)
    const asked = askedRequest(head, edit)
    // A host of somebody else's would reach an application that thinks it is its own.
    if (endToEnd && head.host !== endToEnd.host()) {
      this.#answerWith({ kind: 'page', key: 'http.misdirected' }, asked)
      return
    }
    for (const stage of stages) {
      const reply = stage.onRequest?.({ head, edit, visitorAddress })
      if (reply === undefined) continue
      this.#answerWith(reply, asked)
      return
    }
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
    if (head.body === 0) this.#onRequestEnd()
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
      const held = this.#scanner.take()
      if (held.length > 0) this.#deliver(held)
    }
    this.#credit()
  }

  #deliver(bytes: Buffer): void {
    this.#delivered += bytes.length
    this.#options.deliver(bytes)
  }

  /** Bytes that wait for the upstream or are held are not credited; heads may grow or shrink on their way. */
  #credit(): void {
    const isHeld = this.#state === 'awaiting' || this.#state === 'settling' || this.#state === 'holding'
    const held = isHeld ? this.#scanner.pendingBytes : 0
    const due = this.#received - held - Math.max(0, this.#delivered - this.#taken)
    if (due <= this.#credited) return
    const bytes = due - this.#credited
    this.#credited = due
    this.#stream.consumed(bytes)
  }

  // --- answers of our own ---

  /** The relay ends a stream on which the upstream is silent for minutes. */
  #answerWith(reply: Reply, asked: AskedRequest): void {
    this.#state = 'settling'
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
    const bytes = renderReply(reply, asked)
    const bodyAt = bytes.indexOf('\r\n\r\n') + 4
    const answer = { status: statusOf(reply), isHttps: asked.isHttps, isOwn: true }
    this.#stream.write(editedHead(bytes.subarray(0, bodyAt), this.#options.stages, answer))
    if (bodyAt < bytes.length) this.#stream.write(bytes.subarray(bodyAt))
    this.#stream.end()
  }

  /** The upstream's answer is no HTTP that everybody reads alike. */
  #onBroken({ unanswered, isUnasked }: AnswerFault): void {
    if (unanswered) this.#tell({ kind: 'page', key: 'upstream.answer' }, unanswered)
    else if (isUnasked) {
      // It has nothing more to say to a visitor, who may ask again on another connection.
      this.#stream.end()
      this.#leave(undefined)
    } else {
      this.close()
      this.#stream.resetBehind('upstream.answer')
      this.#options.onOver('upstream.answer')
    }
  }

  /** Drops what the visitor still sends, for a while. */
  #leave(key: ErrorKey | undefined): void {
    this.close()
    this.#options.onAnswered(key)
    this.#taken = this.#delivered
    this.#credit()
    this.#timer = this.#options.clock.after(lingerMs, () => this.#cut(key ?? 'stream.aborted'))
  }

  #cut(key: ErrorKey): void {
    this.close()
    this.#stream.reset(key)
    this.#options.onOver(key)
  }
}
