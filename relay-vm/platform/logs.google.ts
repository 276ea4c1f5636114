/**
 * Sends a relay's lines to Cloud Logging, where operators search them, besides the journal of the VM. It never holds
 * the relay up: lines wait in a bounded queue, one call every few seconds takes them, and what finds no room or cannot
 * be sent is counted and said with the next line that goes.
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { withoutSecrets } from '@porttunneler/shared/base/redacting'
import type { Secret } from '@porttunneler/shared/base/secret'
import { post } from './post.ts'

/** The log's id, which functions/platform/logs.google.ts reads. */
const logId = 'ptun-relay'
const everyMs = 5_000
/** Lines of one call; Google takes 10 MB. */
const batchMax = 200
const queuedMax = 2_000
/** A longer line is cut, so a full queue is 16 MB at worst; most lines have 200 bytes. */
const lineMax = 8_000
const deadlineMs = 10_000
/** A batch that cannot be sent so often is left out: a minute at least. */
const triesMax = 12
/** Google answers `{}`, or says what is wrong. */
const answerBytesMax = 64 * 1024

type Entry = { readonly timestamp: string; readonly severity: string; readonly jsonPayload: object }
type Line = { readonly level?: number; readonly time?: number; readonly msg?: string }

export type CloudLogOptions = {
  readonly project: string
  /** The relay's instance. */
  readonly relay: string
  readonly clock: Clock
  /** A token of this VM that may write the log. @throws relay.metadata */
  askAccess(signal: AbortSignal): Promise<Secret>
  readonly loggingUrl?: string
}

export class CloudLog {
  readonly #options: CloudLogOptions
  #queue: Entry[] = []
  #leftOut = 0
  #tries = 0
  #timer: Timer | undefined
  #sending: Promise<void> | undefined
  #isClosed = false

  constructor(options: CloudLogOptions) {
    this.#options = options
  }

  /** Takes a line of pino. */
  take(line: string): void {
    if (this.#isClosed || this.#queue.length >= queuedMax) {
      this.#leftOut += 1
      return
    }
    this.#queue.push(entryOf(line, this.#options.clock.now()))
    this.#plan()
  }

  /** Sends what is there, once. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.clear()
    await this.#sending
    await this.#send()
  }

  #plan(): void {
    if (this.#isClosed) return
    this.#timer ??= this.#options.clock.after(everyMs, () => this.#turn(), { background: true })
  }

  #turn(): void {
    this.#timer = undefined
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
      if (this.#queue.length > 0) this.#plan()
    })
  }

  async #send(): Promise<void> {
    const batch = this.#queue.slice(0, batchMax)
    const leftOut = this.#leftOut
    const entries = leftOut > 0 ? [lostEntry(leftOut, this.#options.clock.now()), ...batch] : batch
    if (entries.length === 0) return
    try {
      await this.#write(entries)
      this.#leftOut -= leftOut
      this.#drop(batch.length)
    } catch {
      // The journal has the lines; a line about this would be one more to send.
      this.#tries += 1
      if (this.#tries < triesMax) return
      this.#leftOut += batch.length
      this.#drop(batch.length)
    }
  }

  #drop(count: number): void {
    this.#tries = 0
    this.#queue = this.#queue.slice(count)
  }

  async #write(entries: readonly Entry[]): Promise<void> {
    const { project, relay, askAccess, loggingUrl = 'https://logging.googleapis.com' } = this.#options
    const signal = AbortSignal.timeout(deadlineMs)
    const token = await askAccess(signal)
    const body = {
      logName: `projects/${project}/logs/${logId}`,
      resource: { type: 'global', labels: { project_id: project } },
      labels: { relay },
      partialSuccess: true,
      entries,
    }
    const headers = { authorization: `Bearer ${token.reveal()}` }
    const { status } = await post(new URL('/v2/entries:write', loggingUrl), body, {
      headers,
      signal,
      answerBytesMax,
    })
    if (status !== 200) throw new Error(`Cloud Logging answered ${status}`)
  }
}

function entryOf(text: string, nowMs: number): Entry {
  const clean = withoutSecrets(text)
  const {
    level = 50,
    time = nowMs,
    msg = clean.slice(0, lineMax),
    ...fields
  } = clean.length > lineMax ? {} : read(clean)
  return {
    timestamp: new Date(time).toISOString(),
    severity: severityOf(level),
    jsonPayload: { ...fields, message: msg },
  }
}

function read(text: string): Line {
  try {
    const line: unknown = JSON.parse(text)
    return typeof line === 'object' && line !== null ? line : {}
  } catch {
    return {}
  }
}

function severityOf(level: number): string {
  return level >= 50 ? 'ERROR' : level >= 40 ? 'WARNING' : level >= 30 ? 'INFO' : 'DEBUG'
}

function lostEntry(linesLeftOut: number, nowMs: number): Entry {
  const message = 'Lines of this relay were left out of the log, and are in the journal of its machine'
  return {
    timestamp: new Date(nowMs).toISOString(),
    severity: 'WARNING',
    jsonPayload: { message, linesLeftOut },
  }
}
