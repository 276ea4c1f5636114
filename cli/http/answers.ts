/**
 * What an upstream answers, on its way to the visitor. `PassedAnswers` only watches where answers end. `EditedAnswers`
 * runs them through the stages that change them: the head of each final answer is held until it is whole, changed and
 * sent; interim answers, bodies and trailers pass byte for byte. The gate takes it only where a stage wants answers.
 *
 * It is stricter than passing on: where nobody can tell what a head says or where an answer ends, nothing is sent,
 * since a header that has to be set or left out might hide there.
 */
import { AnswerWatch } from '@porttunneler/shared/http/answer'
import { AnswerParser, type AnswerReader, type ReceivedHead } from '@porttunneler/shared/http/answer-parser'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { HeadEdit } from './head-edit.ts'
import type { Stage } from './pipeline.ts'

/** What is kept of a request until its answer has come. */
export type AskedRequest = {
  readonly method: string
  readonly isHttps: boolean
  /** The part of its head that a page needs. */
  readonly bytes: Buffer
  readonly host: string
}

/** A request whose head was not understood, or never came. */
export const unread: AskedRequest = { method: 'GET', isHttps: true, bytes: Buffer.alloc(0), host: '' }

/** Long enough for what browsers send. */
const acceptLengthMax = 256

/** @param edit the head as the relay sent it */
export function askedRequest({ method, host }: RequestHead, edit: HeadEdit): AskedRequest {
  const [accept = ''] = edit.values('accept')
  return {
    method,
    host,
    // The relay alone sets it.
    isHttps: edit.values('x-forwarded-proto').at(-1) === 'https',
    bytes: Buffer.from(`${method} \r\nAccept: ${accept.slice(0, acceptLengthMax)}\r\n\r\n`, 'latin1'),
  }
}

/** What the gate needs to know of answers. */
export type Answers = {
  /** A request was sent to the upstream. */
  asked(request: AskedRequest): void
  /** Passes on what the upstream sends. @returns false: the visitor is slow */
  pass(bytes: Buffer): boolean
  /** The upstream has ended. @returns false: in the middle of a head, which `onBroken` has dealt with */
  ended(): boolean
  /** All requests are answered completely, or never will be. */
  readonly isComplete: boolean
  /** The same, and another answer may follow. */
  readonly mayFollow: boolean
  /** Nothing of the answer to the last request was sent, and all before it are complete. */
  readonly hasRoom: boolean
  /** Nobody can tell any more where answers end. */
  readonly isLost: boolean
}

class PassedAnswers implements Answers {
  readonly #watch = new AnswerWatch()
  readonly #write: (bytes: Buffer) => boolean

  constructor(write: (bytes: Buffer) => boolean) {
    this.#write = write
  }

  asked({ method }: AskedRequest): void {
    this.#watch.asked(method)
  }

  pass(bytes: Buffer): boolean {
    this.#watch.heard(bytes)
    return this.#write(bytes)
  }

  ended(): boolean {
    return true
  }

  get isComplete(): boolean {
    return this.#watch.isComplete
  }

  get mayFollow(): boolean {
    return this.#watch.mayFollow
  }

  get hasRoom(): boolean {
    return this.#watch.hasRoom
  }

  get isLost(): boolean {
    return this.#watch.isLost
  }
}

/** `unanswered`: nothing of the answer to this request was sent. `isUnasked`: the upstream spoke without a request. */
export type AnswerFault = { readonly unanswered?: AskedRequest | undefined; readonly isUnasked: boolean }

type EditedAnswersOptions = {
  readonly stages: readonly Stage[]
  /** Bytes for the visitor, ours until it returns. False: the visitor is slow. */
  write(bytes: Buffer): boolean
  /** The upstream does not speak HTTP as it should. */
  onBroken(fault: AnswerFault): void
}

export class EditedAnswers implements Answers, AnswerReader {
  /** What is lost is not sent. */
  readonly isLost = false
  readonly #options: EditedAnswersOptions
  readonly #parser: AnswerParser
  /** Requests without a final answer, oldest first. */
  readonly #asked: AskedRequest[] = []
  #isInBody = false
  #isLast = false
  #isOver = false
  #isBroken = false
  #isTaken = true

  constructor(options: EditedAnswersOptions) {
    this.#options = options
    this.#parser = new AnswerParser(this, { keepsChunks: true })
  }

  asked(request: AskedRequest): void {
    this.#asked.push(request)
    this.#parser.asked(request.method)
  }

  pass(bytes: Buffer): boolean {
    this.#isTaken = true
    this.#parser.heard(bytes)
    return this.#isTaken
  }

  ended(): boolean {
    // A body that is cut short ends as it does without us.
    if (!this.#isInBody) this.#parser.ended()
    return !this.#isBroken
  }

  get isComplete(): boolean {
    return this.#isOver || this.#parser.mayFollow
  }

  get mayFollow(): boolean {
    return this.#parser.mayFollow
  }

  get hasRoom(): boolean {
    return !this.#isInBody && !this.#isOver && this.#asked.length === 1
  }

  onHead({ bytes, status, isInterim, isLast }: ReceivedHead): void {
    if (isInterim) {
      this.#write(bytes)
      return
    }
    const isHttps = this.#asked.shift()?.isHttps ?? false
    this.#isInBody = true
    this.#isLast = isLast
    this.#write(editedHead(bytes, this.#options.stages, { status, isHttps, isOwn: false }))
  }

  onBody(bytes: Buffer): void {
    if (bytes.length > 0) this.#write(bytes)
  }

  onEnd(): void {
    this.#isInBody = false
    this.#isOver ||= this.#isLast
  }

  onBroken(): void {
    this.#isBroken = true
    const unanswered = this.#isInBody ? undefined : this.#asked[0]
    this.#options.onBroken({ unanswered, isUnasked: !this.#isInBody && unanswered === undefined })
  }

  #write(bytes: Buffer): void {
    if (!this.#options.write(bytes)) this.#isTaken = false
  }
}

/** The head of an answer as the stages leave it. */
export function editedHead(
  bytes: Buffer,
  stages: readonly Stage[],
  answer: { readonly status: number; readonly isHttps: boolean; readonly isOwn: boolean },
): Buffer {
  const edit = new HeadEdit(bytes)
  for (const stage of stages) stage.onAnswer?.({ ...answer, edit })
  return edit.toBuffer()
}

/** Answers are read only if a stage changes them. */
export function answersOf(
  stream: { write(bytes: Buffer): boolean },
  stages: readonly Stage[],
  onBroken: (fault: AnswerFault) => void,
): Answers {
  const write = (bytes: Buffer) => stream.write(bytes)
  const isEdited = stages.some(({ onAnswer }) => onAnswer)
  return isEdited ? new EditedAnswers({ stages, write, onBroken }) : new PassedAnswers(write)
}
