/**
 * Connections of visitors that have ended, for tunnels whose owners want them kept (policy `keepConnections`); the
 * others cost one look at their policy. They wait in memory, never on disk, for a report of their tunnel that rides on
 * `sync`: one in a quarter of an hour, or one for 400 connections. Of a minute with more than 100 a tunnel has a fair
 * sample, and the report says how many there were. A crash loses what was not yet reported.
 */
import {
  batchSpanMsMax,
  type ConnectionBatch,
  connectionsPerBatch,
  connectionsPerMinuteKept,
  type EndedRow,
} from '@porttunneler/shared/api/schemas/connections'
import { syncMax } from '@porttunneler/shared/api/schemas/relays'
import { sourcePath } from '@porttunneler/shared/base/addresses'
import type { FairPool } from '@porttunneler/shared/base/fair-pool'
import type { Policy } from '@porttunneler/shared/protocol/endpoint'
import { makePool } from '../policy/pools.ts'
import { turnsOf } from '../policy/take-turns.ts'

/** Some 250 bytes each. */
const entriesMax = 20_000
const minuteMs = 60_000
/** Shorter than a report may span, by what the clock may be put back in between. */
const gatherMs = 15 * minuteMs
/** When more than this many wait, tunnels report what they have. */
const crowdedAt = entriesMax / 2

export type EndedVisit = {
  readonly tunnel: string
  readonly account: string
  readonly address: string
  /** How long it was open, ms. */
  readonly ms: number
  /** Bytes from the visitor and to it. */
  readonly in: number
  readonly out: number
  /** The number of a PT code; 0: it ended in order. */
  readonly code: number
}
export type WaitingVisit = Omit<EndedVisit, 'tunnel' | 'account'> & { readonly endedAt: number }

type Entry = { readonly batch: Batch; readonly endedAt: number; readonly visit: WaitingVisit }
type Batch = {
  readonly tunnel: string
  readonly account: string
  readonly number: number
  readonly fromMs: number
  readonly entries: Set<Entry>
  counted: number
  isSealed: boolean
}
/** The minute that a tunnel is in, and what of it is kept. */
type Minute = { readonly at: number; counted: number; readonly kept: Entry[] }
type Gathered = { batch: Batch | undefined; minute: Minute | undefined }

export type ConnectionLogOptions = {
  readonly boot: string
  readonly random: () => number
  /** Server-corrected wall time. */
  now(): number
  /** What the tunnel's policy says now. */
  keeps(tunnel: string): Policy['keepConnections']
}

export class ConnectionLog {
  readonly #options: ConnectionLogOptions
  readonly #places: FairPool<Entry> = makePool('connections', entriesMax)
  readonly #gathered = new Map<string, Gathered>()
  readonly #sealed = new Set<Batch>()
  #number = 0
  /** Entries lost because too many waited. */
  dropped = 0

  constructor(options: ConnectionLogOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#places.size
  }

  /** Keeps one that has ended, if its tunnel's policy says so. */
  ended({ tunnel, account, address, ...figures }: EndedVisit): void {
    const keeps = this.#options.keeps(tunnel)
    if (keeps === undefined) return
    const endedAt = Math.round(this.#options.now())
    const gathered = this.#gatheredOf(tunnel)
    const batch = this.#batchOf(gathered, { tunnel, account, endedAt })
    batch.counted += 1
    const place = this.#placeInMinute(gathered, endedAt)
    if (place === undefined) return
    const shown = keeps === 'shortened' ? (sourcePath(address)[0] ?? '') : address
    const entry: Entry = { batch, endedAt, visit: { ...figures, address: shown, endedAt } }
    if (this.#places.add(entry, [account, tunnel], this.#onDropped) !== undefined) {
      this.dropped += 1
      return
    }
    const before = gathered.minute?.kept[place]
    if (before) this.#forget(before)
    if (gathered.minute) gathered.minute.kept[place] = entry
    batch.entries.add(entry)
  }

  /** Those of a tunnel that were not yet reported, newest first. */
  waiting(tunnel: string): readonly WaitingVisit[] {
    const batches = [...this.#sealed].filter((batch) => batch.tunnel === tunnel)
    const running = this.#gathered.get(tunnel)?.batch
    const all = [...batches, ...(running ? [running] : [])].flatMap(({ entries }) => [...entries])
    return all.map(({ visit }) => visit).sort((a, b) => b.endedAt - a.endedAt)
  }

  /** What is due, at most as much as a report may have; accounts take turns. */
  report({ isLast = false }: { readonly isLast?: boolean } = {}): readonly ConnectionBatch[] {
    const nowMs = this.#options.now()
    const isCrowded = this.#places.size > crowdedAt
    for (const [tunnel, gathered] of this.#gathered) {
      const { batch } = gathered
      if (batch && (isLast || isCrowded || nowMs - batch.fromMs >= gatherMs)) this.#seal(gathered)
      if (!gathered.batch && nowMs - (gathered.minute?.at ?? 0) > minuteMs) this.#gathered.delete(tunnel)
    }
    const report: ConnectionBatch[] = []
    let rows = 0
    const owners = Map.groupBy(this.#sealed, ({ account }) => account).values()
    for (const batch of turnsOf(owners, syncMax.connections)) {
      rows += batch.entries.size
      if (report.length > 0 && rows > syncMax.connectionRows) break
      report.push(reported(batch, this.#options.boot))
    }
    return report
  }

  /** The control plane has `report`, or will never take it. */
  acknowledge(report: readonly ConnectionBatch[]): void {
    const numbers = new Set(report.map(({ number }) => number))
    for (const batch of this.#sealed) {
      if (!numbers.has(batch.number)) continue
      this.#sealed.delete(batch)
      for (const entry of batch.entries) this.#places.remove(entry)
    }
  }

  readonly #onDropped = (_depth: number, entry: Entry): void => {
    entry.batch.entries.delete(entry)
    this.dropped += 1
  }

  #forget(entry: Entry): void {
    entry.batch.entries.delete(entry)
    this.#places.remove(entry)
  }

  #gatheredOf(tunnel: string): Gathered {
    const known = this.#gathered.get(tunnel)
    if (known) return known
    const made: Gathered = { batch: undefined, minute: undefined }
    this.#gathered.set(tunnel, made)
    return made
  }

  #batchOf(
    gathered: Gathered,
    { tunnel, account, endedAt }: { tunnel: string; account: string; endedAt: number },
  ): Batch {
    const { batch } = gathered
    if (batch) {
      const isIn = endedAt >= batch.fromMs && endedAt - batch.fromMs < gatherMs
      if (isIn && batch.account === account && batch.entries.size < connectionsPerBatch) return batch
      this.#seal(gathered)
    }
    const made: Batch = {
      tunnel,
      account,
      number: this.#number++,
      fromMs: endedAt,
      entries: new Set(),
      counted: 0,
      isSealed: false,
    }
    gathered.batch = made
    return made
  }

  /** From now on nothing is added to it, so that its repeats are all the same or shorter. */
  #seal(gathered: Gathered): void {
    const { batch } = gathered
    gathered.batch = undefined
    if (!batch) return
    batch.isSealed = true
    this.#sealed.add(batch)
  }

  /**
   * Reservoir sampling: after n connections of a minute each has the same chance to be among the kept ones.
   * @returns undefined: this one is counted and not kept
   */
  #placeInMinute(gathered: Gathered, endedAt: number): number | undefined {
    const at = endedAt - (endedAt % minuteMs)
    if (gathered.minute?.at !== at) gathered.minute = { at, counted: 0, kept: [] }
    const { minute } = gathered
    const n = minute.counted++
    if (n < connectionsPerMinuteKept) return n
    const place = Math.floor(this.#options.random() * (n + 1))
    // One whose report was sealed meanwhile stays in it.
    if (place >= connectionsPerMinuteKept || minute.kept[place]?.batch.isSealed) return undefined
    return place
  }
}

function reported(
  { tunnel, account, number, fromMs, counted, entries }: Batch,
  boot: string,
): ConnectionBatch {
  const rows = [...entries].map(({ endedAt, visit }): EndedRow => {
    const { ms, address, in: bytesIn, out, code } = visit
    return [Math.min(endedAt - fromMs, batchSpanMsMax), ms, address, bytesIn, out, code]
  })
  return { tunnel, account, boot, number, from: fromMs, counted, rows }
}
