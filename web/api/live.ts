/**
 * The live feed of the whole console: gets a watch ticket, follows every relay it names, renews the ticket before its
 * end (new streams open before old ones close), and keeps the last minutes of every tunnel for the charts.
 * Nothing here throws at the pages: trouble shows in `status` and `failure`, and the feed tries again by itself.
 */

import { isServed } from '@porttunneler/shared/api/schemas/tunnel-words'
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep, type Timer } from '@porttunneler/shared/base/clock'
import { appendPoint, type Columns, emptyColumns, sparkPoints } from '../charts/history.ts'
import { Ledger } from '../charts/ledger.ts'
import { type Figures, noFigures } from '../charts/rates.ts'
import type { Watch } from './calls.ts'
import { type ApiFailure, toFailure } from './failure.ts'
import type { OpenStream } from './live-stream.ts'

/**
 * connecting: nothing heard yet; idle: no relay has anything of this account; partial: some relays are silent;
 * lost: all are, and the feed keeps trying.
 */
export type LiveStatus = 'paused' | 'connecting' | 'idle' | 'live' | 'partial' | 'lost'

export type LiveOptions = {
  readonly watch: (signal: AbortSignal) => Promise<Watch>
  readonly openStream: OpenStream
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
}

type Round = {
  /** Ends the round's streams. */
  readonly signal: AbortSignal
  /** Ends its waiting. */
  readonly turnSignal: AbortSignal
  /** The round's first sample of any relay has come. */
  readonly onFirst: () => void
}

const tickMs = 1_000
/** The key of trouble with the ticket; relays have addresses for keys. */
const ticketTrouble = ''
/** Renewal starts this long before the ticket's end. */
const renewAheadMs = 15_000
/** A ticket this young was made with the tunnels that a list read meanwhile shows. */
const freshTicketMs = 2_000
/** A browser's clock may be wrong by hours; the ticket's life is known to be about a minute. */
const renewMs = { min: 10_000, max: 45_000 }
const retry: BackoffShape = { fastTries: 1, fastMs: 500, minMs: 1_000, maxMs: 15_000, jitter: 0.4 }

/** What a row shows of a tunnel, to tell whether the next second changes it. */
type Shown = { readonly text: string; readonly stirsFor: number; readonly revision: number }

export class LiveFeed {
  readonly #options: LiveOptions
  readonly #ledger = new Ledger()
  readonly #columns = new Map<string, Columns>()
  readonly #listeners = new Set<() => void>()
  #figures = new Map<string, Figures>()
  readonly #shown = new Map<string, Shown>()
  #running: { readonly abort: AbortController; readonly ticker: Timer } | undefined
  #sources: readonly string[] | undefined
  /** The latest trouble of each relay, and of getting a ticket. */
  readonly #failures = new Map<string, ApiFailure>()
  readonly #served = new Set<string>()
  #ticketAtMs = Number.NEGATIVE_INFINITY
  #grant: Watch | undefined
  #grantAtMs = Number.NEGATIVE_INFINITY
  #hurry: () => void = () => undefined
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
    if (live === 0 && this.#failures.size > 0) return 'lost'
    if (live === 0) return this.#sources?.length === 0 ? 'idle' : 'connecting'
    return live < (this.#sources?.length ?? 0) ? 'partial' : 'live'
  }

  /** Why the feed is not live, if it is not. */
  get failure(): ApiFailure | undefined {
    return this.#failures.values().next().value
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

  /** Rises when a tunnel's figures change, and each second in which its last minute of traffic moves on. */
  revision(tunnel: string): number {
    return this.#shown.get(tunnel)?.revision ?? 0
  }

  /**
   * Tells the feed of tunnels as just read. A ticket names the tunnels of its time, so that one that came up since
   * needs another.
   */
  expect(tunnels: readonly Pick<Tunnel, 'id' | 'state'>[]): void {
    let isNew = false
    for (const { id, state } of tunnels) {
      if (!isServed(state)) this.#served.delete(id)
      else if (!this.#served.has(id)) {
        this.#served.add(id)
        isNew = true
      }
    }
    const ageMs = this.#options.clock.monotonic() - this.#ticketAtMs
    if (isNew && ageMs > freshTicketMs) this.#hurry()
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
    this.#shown.clear()
    this.#figures.clear()
    this.#served.clear()
    this.#failures.clear()
    this.#sources = undefined
    this.#grant = undefined
  }

  /** A ticket that is good for a call now, and the relays to ask; that of the feed as long as it is young enough. */
  async grant(signal: AbortSignal): Promise<Watch> {
    const ageMs = this.#options.clock.monotonic() - this.#grantAtMs
    if (this.#grant && ageMs < renewMs.max) return this.#grant
    return this.#took(await this.#options.watch(signal))
  }

  #took(grant: Watch): Watch {
    this.#grant = grant
    this.#grantAtMs = this.#options.clock.monotonic()
    return grant
  }

  async #run(signal: AbortSignal): Promise<void> {
    let previous: AbortController | undefined
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const round = new AbortController()
      // All waiting of this turn ends with it, or sooner when somebody is in a hurry.
      const turn = new AbortController()
      this.#hurry = () => turn.abort()
      const turnSignal = AbortSignal.any([signal, turn.signal])
      const onFirst = () => {
        attempt = -1
        previous?.abort()
      }
      let isDue = false
      try {
        isDue = await this.#round({ signal: AbortSignal.any([signal, round.signal]), turnSignal, onFirst })
        previous?.abort()
        previous = round
      } catch (error) {
        round.abort()
        if (signal.aborted) return
        this.#failures.set(ticketTrouble, toFailure(error))
        this.#tell()
      }
      if (!isDue) await this.#pauseBefore(Math.max(0, attempt), turnSignal)
      turn.abort()
    }
  }

  /** One ticket's life. True when it is time for the next ticket, false when every stream ended before. */
  async #round({ signal, turnSignal, onFirst }: Round): Promise<boolean> {
    const { clock, watch } = this.#options
    const { ticket, expiresAt, sources } = this.#took(await watch(signal))
    this.#ticketAtMs = clock.monotonic()
    this.#sources = sources
    this.#ledger.keepOnly(sources)
    for (const source of this.#failures.keys()) if (!sources.includes(source)) this.#failures.delete(source)
    const renewInMs = Math.min(renewMs.max, Math.max(renewMs.min, expiresAt - clock.now() - renewAheadMs))
    const streams = sources.map((source) => this.#follow(source, ticket, { signal, onFirst }))
    const ended = Promise.all(streams).then(() => false)
    return Promise.race([this.#pauseFor(renewInMs, turnSignal).then(() => true), ended])
  }

  /** Follows one relay while the ticket is good; ends when the relay refuses it or `signal` says so. */
  async #follow(
    source: string,
    ticket: string,
    { signal, onFirst }: { signal: AbortSignal; onFirst: () => void },
  ): Promise<void> {
    const { openStream, clock } = this.#options
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await openStream(source, ticket, {
          signal,
          onSample: (sample) => {
            if (attempt >= 0) onFirst()
            attempt = -1
            this.#failures.delete(source)
            this.#ledger.take(source, sample, clock.monotonic())
          },
        })
      } catch (error) {
        if (signal.aborted) return
        const failure = toFailure(error)
        this.#failures.set(source, failure)
        if ([401, 403].includes(failure.status)) return
      }
      await this.#pauseBefore(Math.max(0, attempt), signal)
    }
  }

  #tick(): void {
    const { clock } = this.#options
    const isHeard = this.#ledger.liveSources(clock.monotonic()) > 0
    this.#figures = this.#ledger.sum(clock.monotonic())
    for (const id of this.#figures.keys()) this.columns(id)
    for (const [id, columns] of this.#columns) {
      const figures = isHeard ? (this.#figures.get(id) ?? noFigures) : null
      appendPoint(columns, clock.now(), figures)
      this.#shown.set(id, shownNext(this.#shown.get(id), figures))
    }
    this.#tell()
  }

  /** Waits as the backoff says. */
  #pauseBefore(attempt: number, signal: AbortSignal): Promise<void> {
    return this.#pauseFor(backoffMs(retry, attempt, this.#options.random), signal)
  }

  /** Returns at once when aborted. */
  #pauseFor(ms: number, signal: AbortSignal): Promise<void> {
    return sleep(this.#options.clock, ms, signal).catch(() => undefined)
  }

  #tell(): void {
    this.#version += 1
    for (const listener of this.#listeners) listener()
  }
}

function shownNext(last: Shown | undefined, figures: Figures | null): Shown {
  const text = JSON.stringify(figures)
  const isBusy = figures !== null && figures.rates.in + figures.rates.out > 0
  const stirsFor = isBusy ? sparkPoints : Math.max(0, (last?.stirsFor ?? 0) - 1)
  const isSame = last?.text === text && last.stirsFor === 0 && stirsFor === 0
  return { text, stirsFor, revision: (last?.revision ?? 0) + (isSame ? 0 : 1) }
}
