/** One request with its answer, as the inspector keeps it. The tap (tap.ts) writes it while the bytes pass. */
import { Buffer } from 'node:buffer'
import type {
  HeaderLine,
  InspectedDetail,
  InspectedMessage,
  InspectedSummary,
  SignatureVerdict,
} from '@porttunneler/shared/api/schemas/inspection'
import { type FieldLine, lineFeed, readField } from '@porttunneler/shared/http/fields'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { Tunnel } from '../agent/tunnels.ts'
import type { FrameLog } from './frame-log.ts'
import { KeptBytes } from './kept-bytes.ts'
import { redactLine, redactTarget } from './redaction.ts'

/** Enough for most webhooks and pages; a hundred of them fill the ring. */
export const bodyBytesMax = 1_000_000

/** Where a request came from, for sending it again. */
export type Origin = {
  readonly tunnel: Tunnel
  readonly label: string
  readonly visitor: string
  readonly info: OpenInfo
  /** TLS ended at this agent, so the head is as the visitor sent it. */
  readonly endToEnd: boolean
  readonly replayOf?: number
}

export class Message {
  readonly headers: readonly HeaderLine[]
  readonly body = new KeptBytes(bodyBytesMax)
  isWhole = false

  constructor(headers: readonly HeaderLine[]) {
    this.headers = headers
  }

  get view(): InspectedMessage {
    const { headers, body, isWhole } = this
    return { headers, bytes: body.total, keptBytes: body.length, isWhole }
  }

  /** The first value of a header; names in lower case. */
  header(name: string): string | undefined {
    return this.values(name)[0]
  }

  values(name: string): readonly string[] {
    return this.headers.flatMap(([one, value]) => (one.toLowerCase() === name ? [value] : []))
  }
}

type Marks = { asked?: number; connected?: number; answered?: number; ended?: number }

export class Entry {
  readonly id: number
  readonly origin: Origin
  /** Wall ms, and monotonic ms. */
  readonly at: number
  readonly startedAt: number
  readonly method: string
  readonly host: string
  readonly target: string
  readonly request: Message
  readonly hidden: number
  answer: Message | undefined
  status: number | undefined
  failure: string | undefined
  signature: SignatureVerdict | undefined
  frames: FrameLog | undefined
  readonly marks: Marks = {}
  revision = 0
  /** What it takes of the ring; the ring alone changes it. */
  charged = 0
  /** The head as it came, for replays alone. Private, so that no dump of an entry prints it. */
  #head: string

  constructor(
    head: { readonly bytes: Buffer; readonly method: string; readonly host: string },
    known: Pick<Entry, 'id' | 'origin' | 'at' | 'startedAt'>,
  ) {
    this.id = known.id
    this.origin = known.origin
    this.at = known.at
    this.startedAt = known.startedAt
    this.method = head.method
    this.host = head.host
    this.#head = head.bytes.toString('latin1')
    const raw = linesOf(head.bytes)
    const shown = raw.map(redactLine)
    const target = this.rawTarget()
    this.target = redactTarget(target)
    this.request = new Message(shown)
    let hidden = this.target === target ? 0 : 1
    for (const [at, line] of shown.entries()) if (line !== raw[at]) hidden += 1
    this.hidden = hidden
  }

  get headBytes(): number {
    return this.#head.length
  }

  /** Header lines with their secrets: for a replay, never for a view. */
  rawLines(): readonly HeaderLine[] {
    return linesOf(Buffer.from(this.#head, 'latin1'))
  }

  rawTarget(): string {
    const start = this.#head.indexOf(' ') + 1
    const target = this.#head.slice(start, this.#head.indexOf(' ', start))
    // Most are ASCII, and the same in both.
    return /[^\0-\x7f]/.test(target) ? Buffer.from(target, 'latin1').toString('utf8') : target
  }

  /** The ring had no room for it any more. */
  drop(): void {
    this.request.body.drop()
    this.answer?.body.drop()
    this.frames?.drop()
    this.#head = ''
  }

  get ms(): number | undefined {
    return this.marks.ended
  }

  summary(isPinned: boolean): InspectedSummary {
    const { origin, answer, status, ms, failure, signature, frames } = this
    const type = answer?.header('content-type')?.split(';')[0]?.trim().toLowerCase()
    return {
      id: this.id,
      revision: this.revision,
      tunnel: origin.label,
      visitor: origin.visitor,
      at: this.at,
      method: this.method,
      host: this.host,
      target: this.target,
      ...(status !== undefined && { status }),
      ...(type && { type }),
      requestBytes: this.request.body.total,
      answerBytes: answer?.body.total ?? 0,
      ...(ms !== undefined && { ms }),
      ...(failure !== undefined && { failure }),
      isPinned,
      ...(origin.replayOf !== undefined && { replayOf: origin.replayOf }),
      ...(signature && { signature }),
      ...(frames && { messages: frames.total }),
    }
  }

  detail(isPinned: boolean): InspectedDetail {
    return {
      ...this.summary(isPinned),
      request: this.request.view,
      ...(this.answer && { answer: this.answer.view }),
      phases: this.marks,
      hidden: this.hidden,
    }
  }
}

/** @param head as a parser accepted it, with its first line and the empty line at its end */
export function linesOf(head: Buffer): readonly HeaderLine[] {
  const lines: HeaderLine[] = []
  const line: FieldLine = { nameEnd: 0, valueStart: 0, valueEnd: 0, next: head.indexOf(lineFeed) + 1 }
  const end = head.length - 2
  while (line.next < end) {
    const start = line.next
    if (readField(head, start, line) !== undefined) break
    lines.push([
      head.toString('latin1', start, line.nameEnd),
      head.toString('latin1', line.valueStart, line.valueEnd),
    ])
  }
  return lines
}
