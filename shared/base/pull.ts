/**
 * Keeps a pull stream of Pub/Sub open and delivers its messages: at least once, in any order, a limited number at a
 * time, each with a deadline. The relay's commands and the control plane's bus both use it. It knows the SDK's client
 * only by its shape. It reopens a silent stream, so a listener is deaf for at most `deafMsMax`.
 */
import { type BackoffShape, backoffMs } from './backoff.ts'
import { type Clock, sleep, type Timer } from './clock.ts'

export type PulledMessage = {
  readonly ackId?: string | null
  readonly deliveryAttempt?: number | null
  readonly message?: {
    readonly data?: Uint8Array | string | null
    readonly attributes?: Readonly<Record<string, string>> | null
    readonly messageId?: string | null
  } | null
}
export type PullStream = {
  on(event: 'data', heard: (answer: { receivedMessages?: readonly PulledMessage[] | null }) => void): unknown
  on(event: 'metadata' | 'end', heard: () => void): unknown
  on(event: 'error', heard: (error: Error & { code?: number }) => void): unknown
  write(request: object): unknown
  pause(): unknown
  resume(): unknown
  cancel(): void
}
type CallOptions = { readonly timeout: number; readonly retry: null }
export type PullClient = {
  streamingPull(options: { otherArgs: { headers: Record<string, string> } }): PullStream
  acknowledge(request: { subscription: string; ackIds: string[] }, options: CallOptions): Promise<unknown>
  modifyAckDeadline(
    request: { subscription: string; ackIds: string[]; ackDeadlineSeconds: number },
    options: CallOptions,
  ): Promise<unknown>
}

export type Delivery = {
  readonly id: string
  readonly text: string
  readonly attributes: Readonly<Record<string, string>>
  /** 1 = the first. Pub/Sub counts only if the subscription has a dead-letter policy; otherwise it is always 1. */
  readonly attempt: number
}

export type PullOptions = {
  readonly client: PullClient
  /** Full name: `projects/.../subscriptions/...`. */
  readonly subscription: string
  readonly clock: Clock
  readonly random: () => number
  /** Resolves = done; rejects = deliver again. */
  handle(delivery: Delivery): Promise<void> | void
  /** The stream broke and will be opened again. `isGone`: the subscription does not exist. */
  onLost(lost: {
    readonly isGone: boolean
    readonly error: Error
    readonly failures: number
  }): Promise<void> | void
  /** Messages arrive again after `onLost`. */
  onFound?(): void
  /** An acknowledgement failed or a handler took too long; the message comes again. */
  onTrouble(error: Error): void
  /** How many messages are handled at a time. */
  readonly messagesMax?: number
}

/** How often a silent stream is asked for a sign of life. */
const pingMs = 15_000
/** Pub/Sub answers a ping within seconds. The emulator never does, so its streams are reopened. */
const quietMsMax = 40_000
/** How long a broken stream can go unnoticed. */
export const deafMsMax = 3 * pingMs
/** The shortest that Pub/Sub allows: messages lost with a broken stream come again after this. */
const ackDeadlineSeconds = 10
/** Shorter than that, so that no message is delivered again while it is being handled. */
const handleMs = 8_000
const messagesMaxDefault = 100
const callOptions: CallOptions = { timeout: 5_000, retry: null }
/** Ack ids are some 200 bytes long, and a request takes 512 KiB. */
const ackIdsMax = 1_000
const reopening: BackoffShape = { fastTries: 1, fastMs: 50, minMs: 500, maxMs: 15_000, jitter: 0.4 }
const notFound = 5

export class Pull {
  readonly #options: PullOptions
  readonly #closing = new AbortController()
  readonly #opened = Promise.withResolvers<void>()
  readonly #waiting: PulledMessage[] = []
  /** Messages being handled: ack id and deadline. */
  readonly #running = new Map<string, Timer>()
  #settled: { readonly ackId: string; readonly isDone: boolean }[] = []
  #flushing: Promise<void> | undefined
  #stream: PullStream | undefined
  #loop: Promise<void> = Promise.resolve()
  #heardAtMs = 0
  #failures = 0

  constructor(options: PullOptions) {
    this.#options = options
    this.#loop = this.#run()
  }

  /** Resolves when the stream is open, or failed to open for the first time. */
  get opened(): Promise<void> {
    return this.#opened.promise
  }

  /** Ends the stream and gives unfinished messages back at once. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return this.#loop
    this.#closing.abort()
    for (const timer of this.#running.values()) timer.clear()
    const ackIds = [...this.#waiting.splice(0).map(({ ackId }) => ackId ?? ''), ...this.#running.keys()]
    this.#running.clear()
    this.#settled.push(...ackIds.map((ackId) => ({ ackId, isDone: false })))
    await Promise.all([this.#loop, this.#flush()])
  }

  async #run(): Promise<void> {
    const { clock, random, onLost } = this.#options
    const { signal } = this.#closing
    while (!signal.aborted) {
      const lost = await this.#listen()
      this.#opened.resolve()
      if (signal.aborted || lost === undefined) continue
      const failures = ++this.#failures
      await onLost({ isGone: lost.code === notFound, error: lost, failures })
      await sleep(clock, backoffMs(reopening, failures - 1, random), signal).catch(() => undefined)
    }
  }

  /** Runs one stream from its opening to its end. @returns why it ended, unless it was closed for silence */
  async #listen(): Promise<(Error & { code?: number }) | undefined> {
    const { client, subscription, clock } = this.#options
    const over = Promise.withResolvers<(Error & { code?: number }) | undefined>()
    // The SDK cannot know a stream's destination before its first message, so say it in a header.
    const headers = { 'x-goog-request-params': `subscription=${encodeURIComponent(subscription)}` }
    const stream = client.streamingPull({ otherArgs: { headers } })
    this.#stream = stream
    this.#heardAtMs = clock.monotonic()
    stream.on('metadata', () => this.#heard())
    stream.on('data', ({ receivedMessages }) => {
      this.#heard()
      this.#take(receivedMessages ?? [])
    })
    stream.on('error', over.resolve)
    stream.on('end', () => over.resolve(new Error('The stream ended')))
    const messagesMax = this.#options.messagesMax ?? messagesMaxDefault
    stream.write({
      subscription,
      streamAckDeadlineSeconds: ackDeadlineSeconds,
      maxOutstandingMessages: messagesMax,
      // Version 1: the server answers pings.
      protocolVersion: 1,
    })
    const pings = clock.every(pingMs, () => this.#ping(stream, over.resolve), { background: true })
    const onClosing = () => over.resolve(undefined)
    this.#closing.signal.addEventListener('abort', onClosing)
    const lost = await over.promise
    this.#closing.signal.removeEventListener('abort', onClosing)
    pings.clear()
    this.#stream = undefined
    // Ignore what the cancelled stream still sends.
    stream.cancel()
    return lost
  }

  #ping(stream: PullStream, silent: (lost: undefined) => void): void {
    const isBusy = this.#waiting.length > 0
    if (isBusy || this.#options.clock.monotonic() - this.#heardAtMs < quietMsMax) stream.write({})
    else silent(undefined)
  }

  #heard(): void {
    this.#heardAtMs = this.#options.clock.monotonic()
    this.#opened.resolve()
    if (this.#failures === 0) return
    this.#failures = 0
    this.#options.onFound?.()
  }

  #take(messages: readonly PulledMessage[]): void {
    if (this.#closing.signal.aborted) return
    this.#waiting.push(...messages)
    this.#fill()
  }

  /** Starts as many waiting messages as may be handled now. The stream is paused while any has to wait. */
  #fill(): void {
    const { messagesMax = messagesMaxDefault } = this.#options
    while (this.#running.size < messagesMax) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      this.#work(next)
    }
    if (this.#waiting.length > 0) this.#stream?.pause()
    else this.#stream?.resume()
  }

  #work(pulled: PulledMessage): void {
    const { clock, handle, onTrouble } = this.#options
    const ackId = pulled.ackId ?? ''
    const late = () => {
      onTrouble(new Error(`A message was not handled within ${handleMs} ms`))
      this.#settle(ackId, false)
    }
    this.#running.set(ackId, clock.after(handleMs, late, { background: true }))
    // The handler reports its own failure; here it only means that the message comes again.
    Promise.resolve(deliveryOf(pulled))
      .then(handle)
      .then(
        () => this.#settle(ackId, true),
        () => this.#settle(ackId, false),
      )
  }

  #settle(ackId: string, isDone: boolean): void {
    const timer = this.#running.get(ackId)
    // The handler took too long, or everything was closed meanwhile: the message has been given back.
    if (timer === undefined) return
    timer.clear()
    this.#running.delete(ackId)
    this.#settled.push({ ackId, isDone })
    void this.#flush()
    this.#fill()
  }

  /** Sends acknowledgements and give-backs; whatever gathers meanwhile goes with the next call. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#tell().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async #tell(): Promise<void> {
    const { client, subscription, onTrouble } = this.#options
    while (this.#settled.length > 0) {
      const batch = this.#settled.splice(0, ackIdsMax)
      const done = batch.filter(({ isDone }) => isDone).map(({ ackId }) => ackId)
      const again = batch.filter(({ isDone }) => !isDone).map(({ ackId }) => ackId)
      const calls = [
        done.length > 0 && client.acknowledge({ subscription, ackIds: done }, callOptions),
        again.length > 0 &&
          client.modifyAckDeadline({ subscription, ackIds: again, ackDeadlineSeconds: 0 }, callOptions),
      ]
      for (const told of await Promise.allSettled(calls))
        if (told.status === 'rejected') onTrouble(told.reason)
    }
  }
}

function deliveryOf({ message, deliveryAttempt }: PulledMessage): Delivery {
  const data = message?.data ?? ''
  return {
    id: message?.messageId ?? '',
    text: typeof data === 'string' ? data : new TextDecoder().decode(data),
    attributes: message?.attributes ?? {},
    attempt: Math.max(1, deliveryAttempt ?? 1),
  }
}
