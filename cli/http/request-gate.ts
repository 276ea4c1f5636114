/**
 * Stands between a visitor's stream and the upstream where the agent was asked to look at requests: each head is let in
 * or refused, and changed; bodies and answers pass as they are. It frames requests by the relay's own scanner, so the
 * two cannot disagree about where one begins.
 *
 *   scanning ──▶ awaiting ──▶ raw        an Upgrade was sent: what follows waits for the upstream's answer
 *     │  ▲ ◀────────┘
 *     ▼
 *   settling ──▶ ended                   a refusal waits until earlier requests are answered, then is the last answer
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { AnswerWatch } from '@porttunneler/shared/http/answer'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { renderPage } from '@porttunneler/shared/http/pages'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import type { SplicedStream } from '@porttunneler/shared/mux/splice'
import type { Stream } from '@porttunneler/shared/mux/stream'
import { authorizationsOf, editHead } from './edit-head.ts'
import type { Guesses } from './guesses.ts'
import { isLogin, type Login } from './logins.ts'
import { UpgradeReader } from './upgrade.ts'

/** What a user asked for; absent or empty parts change nothing. */
export type RequestRules = {
  /** What the upstream gets as Host. */
  readonly host?: string
  /** What the upstream gets for the visitor's own origin. */
  readonly origin?: string
  /** Only these may come in. Empty: everybody. */
  readonly logins: readonly Login[]
}

export type GateOptions = {
  readonly rules: RequestRules
  readonly guesses: Guesses
  readonly clock: Clock
  readonly visitorAddress: string
  readonly awaitsUpgrade: boolean
  /** What the visitor is asked a password for. */
  readonly realm: string
  /** Bytes for the upstream, ours until it returns. The first ones are of a request that was let in. */
  deliver(bytes: Buffer): void
  /** The visitor will say no more. */
  finish(): void
  /** The visitor is about to be answered here: the upstream, if there is one, is not needed any more. */
  onRefused(key: ErrorKey): void
  /** The stream was reset. */
  onOver(key: ErrorKey): void
}

type State = 'scanning' | 'awaiting' | 'raw' | 'settling' | 'ended'

/** A visitor that was refused may finish what it is sending: a reset would take the answer away (RFC 9112, 9.6). */
const lingerMs = 5_000

export class RequestGate implements SplicedStream {
  readonly #stream: Stream
  readonly #options: GateOptions
  readonly #scanner = new RequestScanner()
  readonly #answer = new AnswerWatch()
  readonly #reader: UpgradeReader | undefined
  #state: State = 'scanning'
  #upgradeAnswer: 'upgraded' | 'plain' | undefined
  #upgradePending = false
  #forwardedTotal = 0
  /** Bytes from the stream, bytes handed on, and how many of those the upstream took; then what was credited. */
  #received = 0
  #delivered = 0
  #taken = 0
  #credited = 0
  /** A refusal that waits for the end of the answers before it. */
  #refusal: { readonly key: ErrorKey; readonly head: RequestHead } | undefined
  #timer: Timer | undefined

  constructor(stream: Stream, options: GateOptions) {
    this.#stream = stream
    this.#options = options
    if (options.awaitsUpgrade) this.#reader = new UpgradeReader()
  }

  /** From the visitor. */
  onData(chunk: Buffer): void {
    this.#received += chunk.length
    if (this.#state === 'raw') this.#deliver(chunk)
    else if (this.#state !== 'ended') {
      this.#scanner.push(chunk)
      this.#pump()
      // The stream uses its memory again.
      this.#scanner.own()
    }
    this.#credit()
  }

  onFin(): void {
    if (this.#state !== 'settling' && this.#state !== 'ended') this.#options.finish()
  }

  /** Nothing more is said or heard. */
  close(): void {
    this.#state = 'ended'
    this.#timer?.clear()
    this.#scanner.take()
  }

  // --- what the splice with the upstream calls ---

  write(chunk: Buffer): boolean {
    if (this.#state === 'ended') return true
    if (this.#state === 'raw') return this.#stream.write(chunk)
    this.#answer.heard(chunk)
    const answer = this.#reader && this.#upgradeAnswer === undefined ? this.#reader.read(chunk) : undefined
    if (answer !== undefined) this.#stream[answer]()
    const isTaken = this.#stream.write(chunk)
    if (answer !== undefined) {
      this.#upgradeAnswer = answer
      this.#obeyAnswer()
    }
    this.#tellIfAnswered()
    return isTaken
  }

  consumed(bytes: number): void {
    this.#taken += bytes
    this.#credit()
  }

  end(): void {
    if (this.#state !== 'ended') this.#stream.end()
    // That answer may be as long as its connection: nothing can be put behind it.
    if (this.#state === 'settling') this.#leave('stream.aborted')
  }

  resetBehind(key: ErrorKey): void {
    if (this.#state !== 'ended') this.#stream.resetBehind(key)
  }

  // --- requests ---

  #pump(): void {
    while (this.#state === 'scanning') {
      const event = this.#scanner.next()
      if (event === undefined) return
      if (event.kind === 'head') this.#onHead(event)
      else if (event.kind === 'body') {
        this.#deliver(event.bytes)
        if (event.isLast) this.#onRequestEnd()
      } else {
        // The relay scans by the same rules: whoever sent this has got past it.
        this.#cut(event.key)
      }
    }
  }

  #onHead(head: RequestHead): void {
    const refusal = this.#judge(head)
    if (refusal !== undefined) {
      this.#refuse(refusal, head)
      return
    }
    const { host, origin, logins } = this.#options.rules
    this.#answer.asked(head.method)
    // Which answer belongs to a later Upgrade nobody knows; the relay gives each a stream of its own.
    this.#upgradePending = head.wantsUpgrade && this.#reader !== undefined && this.#forwardedTotal === 0
    this.#forwardedTotal += 1
    this.#deliver(editHead(head, { host, origin, dropsAuthorization: logins.length > 0 }))
    if (head.body === 0) this.#onRequestEnd()
  }

  #judge(head: RequestHead): ErrorKey | undefined {
    const { rules, guesses, visitorAddress } = this.#options
    if (rules.logins.length === 0) return undefined
    const sent = authorizationsOf(head)
    if (sent.length > 0 && guesses.waitSeconds(visitorAddress) > 0) return 'visitor.guesses'
    // Two of them: nobody knows which one counts.
    if (sent.length === 1 && isLogin(rules.logins, sent[0])) return undefined
    if (sent.length > 0) guesses.count(visitorAddress)
    return 'visitor.password'
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

  /** What waits for the upstream is not credited, nor what is held; heads may grow or shrink on their way. */
  #credit(): void {
    const held = this.#state === 'awaiting' || this.#state === 'settling' ? this.#scanner.pendingBytes : 0
    const due = this.#received - held - Math.max(0, this.#delivered - this.#taken)
    if (due <= this.#credited) return
    const bytes = due - this.#credited
    this.#credited = due
    this.#stream.consumed(bytes)
  }

  // --- refusals ---

  /** The relay ends a stream on which the upstream says nothing for minutes. */
  #refuse(key: ErrorKey, head: RequestHead): void {
    this.#state = 'settling'
    this.#refusal = { key, head }
    // Whoever asks for more takes that answer for complete, and nobody here can tell.
    if (this.#answer.isLost) this.end()
    else this.#tellIfAnswered()
  }

  #tellIfAnswered(): void {
    const refusal = this.#refusal
    if (!refusal || !this.#answer.isComplete) return
    this.#refusal = undefined
    if (this.#answer.mayFollow) this.#tell(refusal.key, refusal.head)
    else this.end()
  }

  #tell(key: ErrorKey, head: RequestHead): void {
    const { guesses, visitorAddress, realm } = this.#options
    this.#leave(key)
    this.#stream.write(
      renderPage(key, {
        bytes: head.bytes,
        host: head.host,
        fields:
          key === 'visitor.password' ? [`WWW-Authenticate: Basic realm="${realm}", charset="UTF-8"`] : [],
        retryAfterSeconds: Math.max(1, guesses.waitSeconds(visitorAddress)),
      }),
    )
    this.#stream.end()
  }

  /** What the visitor still sends is dropped for a while. */
  #leave(key: ErrorKey): void {
    this.close()
    this.#options.onRefused(key)
    this.#taken = this.#delivered
    this.#credit()
    this.#timer = this.#options.clock.after(lingerMs, () => this.#cut(key))
  }

  #cut(key: ErrorKey): void {
    this.close()
    this.#stream.reset(key)
    this.#options.onOver(key)
  }
}
