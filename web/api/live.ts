/**
 * The live feed of the whole console: gets a watch ticket, follows every relay it names, renews the ticket before its
 * end (new streams open before old ones close), and keeps the last minutes of every tunnel for the charts.
 * Nothing here throws at the pages: trouble shows in `status` and `failure`, and the feed tries again by itself.
 */
import type { LiveSample } from '@porttunneler/shared/api/schemas/tunnels'
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep, type Timer } from '@porttunneler/shared/base/clock'
import { appendPoint, type Columns, emptyColumns } from '../charts/history.ts'
import { Ledger } from '../charts/ledger.ts'
import { type Figures, noFigures } from '../charts/rates.ts'
import type { Watch } from './calls.ts'
import { type ApiFailure, toFailure } from './failure.ts'
import type { OpenStream } from './live-stream.ts'

/** connecting: nothing heard yet; partial: some relays are silent; lost: all are, and the feed keeps trying. */
export type LiveStatus = 'paused' | 'connecting' | 'live' | 'partial' | 'lost'

export type LiveOptions = {
  readonly watch: (signal: AbortSignal) => Promise<Watch>
  readonly openStream: OpenStream
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
}

const tickMs = 1_000
/** Renewal starts this long before the ticket's end. */
const renewAheadMs = 15_000
/** A browser's clock may be wrong by hours; the ticket's life is known to be about a minute. */
const renewMs = { min: 10_000, max: 45_000 }
const retry: BackoffShape = { fastTries: 1, fastMs: 500, minMs: 1_000, maxMs: 15_000, jitter: 0.4 }

export class LiveFeed {
  readonly #options: LiveOptions
  readonly #ledger = new Ledger()
  readonly #columns = new Map<string, Columns>()
  readonly #listeners = new Set<() => void>()
  #figures = new Map<string, Figures>()
  #running: { readonly abort: AbortController; readonly ticker: Timer } | undefined
  #sourceCount = 0
  #failure: ApiFailure | undefined
  #version = 0

  constructor(options: LiveOptions) {
    this.#options = options
  }

  /** Rises with every change; what a view compares. */
  get version(): number {
    return this.#version
  }

  get status(): LiveStatus {
    if (!this.#running) return 'paused'
    const live = this.#ledger.liveSources(this.#options.clock.monotonic())
    if (live === 0) return this.#failure ? 'lost' : 'connecting'
    return live < this.#sourceCount ? 'partial' : 'live'
  }

  /** Why the feed is not live, if it is not. */
  get failure(): ApiFailure | undefined {
    return this.#failure
  }

  /** What a tunnel does now; undefined while no relay is heard. */
  figures(tunnel: string): Figures | undefined {
    if (this.#ledger.liveSources(this.#options.clock.monotonic()) === 0) return undefined
    return this.#figures.get(tunnel) ?? noFigures
  }

  /** The same object while the feed lives; its arrays grow in place. */
  columns(tunnel: string): Columns {
    const columns = this.#columns.get(tunnel) ?? emptyColumns()
    this.#columns.set(tunnel, columns)
    return columns
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  start(): void {
    if (this.#running) return
    const abort = new AbortController()
    const ticker = this.#options.clock.every(tickMs, () => this.#tick())
    this.#running = { abort, ticker }
    // The loop ends by its signal alone; what goes wrong inside becomes `failure`.
    void this.#run(abort.signal)
    this.#tell()
  }

  /** Ends all streams; figures and history stay as they are. */
  pause(): void {
    this.#running?.ticker.clear()
    this.#running?.abort.abort()
    this.#running = undefined
    this.#tell()
  }

  /** Somebody signed out: nothing of theirs stays. */
  forget(): void {
    this.pause()
    this.#ledger.keepOnly([])
    this.#columns.clear()
    this.#figures.clear()
    this.#failure = undefined
  }

  async #run(signal: AbortSignal): Promise<void> {
    let previous: AbortController | undefined
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const round = new AbortController()
      const roundSignal = AbortSignal.any([signal, round.signal])
      const onFirst = () => {
        attempt = -1
        previous?.abort()
      }
      try {
        const isDue = await this.#round(roundSignal, onFirst)
        previous?.abort()
        previous = round
        if (isDue) continue
      } catch (error) {
        round.abort()
        if (signal.aborted) return
        this.#failure = toFailure(error)
        this.#tell()
      }
      await this.#pauseBefore(Math.max(0, attempt), signal)
    }
  }

  /** One ticket's life. True when it is time for the next ticket, false when every stream ended before. */
  async #round(signal: AbortSignal, onFirst: () => void): Promise<boolean> {
    const { clock, watch } = this.#options
    const { ticket, expiresAt, sources } = await watch(signal)
    this.#sourceCount = sources.length
    this.#ledger.keepOnly(sources)
    const renewInMs = Math.min(renewMs.max, Math.max(renewMs.min, expiresAt - clock.now() - renewAheadMs))
    const streams = sources.map((source) => this.#follow(source, ticket, { signal, onFirst }))
    const due = sleep(clock, renewInMs, signal).then(
      () => true,
      () => true,
    )
    // No relay is ready yet: ask again when the ticket would be renewed, or sooner by the backoff.
    return Promise.race([due, Promise.all(streams).then(() => false)])
  }

  /** Follows one relay while the ticket is good; ends when the relay refuses it or `signal` says so. */
  async #follow(
    source: string,
    ticket: string,
    { signal, onFirst }: { signal: AbortSignal; onFirst: () => void },
  ): Promise<void> {
    const { openStream } = this.#options
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await openStream(source, ticket, {
          signal,
          onSample: (sample) => {
            if (attempt >= 0) onFirst()
            attempt = -1
            this.#take(source, sample)
          },
        })
      } catch (error) {
        if (signal.aborted) return
        this.#failure = toFailure(error)
        if ([401, 403].includes(this.#failure.status)) return
      }
      await this.#pauseBefore(Math.max(0, attempt), signal)
    }
  }

  #take(source: string, sample: LiveSample): void {
    this.#ledger.take(source, sample, this.#options.clock.monotonic())
    this.#failure = undefined
  }

  #tick(): void {
    const { clock } = this.#options
    const isHeard = this.#ledger.liveSources(clock.monotonic()) > 0
    this.#figures = this.#ledger.sum(clock.monotonic())
    for (const id of this.#figures.keys()) this.columns(id)
    for (const [id, columns] of this.#columns)
      appendPoint(columns, clock.now(), isHeard ? (this.#figures.get(id) ?? noFigures) : null)
    this.#tell()
  }

  /** Waits as the backoff says; returns at once when aborted. */
  #pauseBefore(attempt: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    return sleep(clock, backoffMs(retry, attempt, random), signal).catch(() => undefined)
  }

  #tell(): void {
    this.#version += 1
    for (const listener of this.#listeners) listener()
  }
}
