/**
 * The index of the log on one machine: lines of the control plane, of its relays and of the demo's agent, in SQLite
 * files of their own. Lines are taken at once and written in batches; when more come than can be written, or the disk
 * takes none, some are left out, and a line says how many: the server never waits for its log. The files of `logs/`
 * have every line in any case.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { type LogLine, type LogOrigin, readLogLine } from '@porttunneler/shared/control/logs/line'
import type { LogQuery } from '@porttunneler/shared/control/logs/query'
import type { LogPage, Logs } from '@porttunneler/shared/control/logs/role'
import { LogSegment, lineOf, type NewLine } from './logs.sqlite.segment.ts'

export type LogIndexOptions = {
  readonly folder: string
  readonly clock: Clock
  /** All files together; the oldest goes when there are more bytes. */
  readonly bytesMax: number
  /** A file goes when its newest line is older, ms. */
  readonly ageMaxMs: number
  /** Called at most once in ten minutes. */
  onTrouble(error: unknown): void
}

/** Size and age end a whole file; with eight, an eighth of the room is empty at worst. */
const segmentsMax = 8
/** A line can be found half a second after it was written. */
const flushMs = 500
/** A batch takes some 20 ms, in which the server does nothing else; the next one comes in another turn. */
const batchMax = 250
const betweenBatchesMs = 25
const queuedMax = 5_000
const queuedBytesMax = 4 * 1024 * 1024
/** Age is looked at this often. */
const forgetMs = 600_000
const troubleMs = 600_000
/** A batch that failed so often is left out: ten seconds. */
const triesMax = 20
/** A longer line is cut, and is then no JSON any more; lines of ours have some hundred bytes. */
const lineMax = 64 * 1024
const nameShape = /^lines-(\d{6,12})\.db$/

type Queued = { readonly origin: LogOrigin; readonly text: string; readonly at: number }

export class LogIndex implements Logs {
  readonly #options: LogIndexOptions
  /** By number; the highest takes new lines. */
  readonly #segments = new Map<number, LogSegment>()
  #queue: Queued[] = []
  #queuedBytes = 0
  #leftOut = 0
  #tries = 0
  #timer: Timer | undefined
  #forgottenAt = Number.NEGATIVE_INFINITY
  #toldAt = Number.NEGATIVE_INFINITY
  #isClosed = false

  /** Opens nothing: a file that cannot be opened is trouble of the first batch, and no reason not to start. */
  constructor(options: LogIndexOptions) {
    this.#options = options
  }

  /** Takes a line, with or without its end. It can be found a moment later. */
  take(origin: LogOrigin, line: string): void {
    if (this.#isClosed || line.trim() === '') return
    const text = line.slice(0, lineMax)
    if (this.#queue.length >= queuedMax || this.#queuedBytes + text.length > queuedBytesMax) {
      this.#leftOut += 1
      return
    }
    this.#queue.push({ origin, text, at: this.#options.clock.now() })
    this.#queuedBytes += text.length
    this.#plan(flushMs)
  }

  /** Writes what has been taken, one batch. */
  flush(): void {
    this.#timer?.clear()
    this.#timer = undefined
    const batch = this.#queue.slice(0, batchMax)
    const lines = [
      ...this.#wordsOfLost(),
      ...batch.map(({ origin, text, at }) => readLogLine(text, origin, at)),
    ]
    if (lines.length === 0) return
    try {
      this.#newest().add(lines)
      this.#leftOut = 0
      this.#forget()
    } catch (error) {
      this.#letGo(error)
      this.#tries += 1
      if (this.#tries >= triesMax) this.#drop(batch)
      // Lines that come meanwhile wait in the queue, which is the limit.
      this.#plan(flushMs)
      return
    }
    this.#done(batch)
    if (this.#queue.length > 0) this.#plan(betweenBatchesMs)
  }

  async search(
    query: LogQuery,
    { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<LogPage> {
    while (this.#queue.length > 0 && this.#queue.length <= batchMax) {
      const waiting = this.#queue.length
      this.flush()
      if (this.#queue.length === waiting) break
    }
    const place = placeOf(after)
    const lines: LogLine[] = []
    // Another server may have begun one.
    for (const number of this.#numbers().toReversed()) {
      if (number > place.segment) continue
      const before = number === place.segment ? place.before : Number.MAX_SAFE_INTEGER
      lines.push(...this.#searchIn(number, query, { limit: limit + 1 - lines.length, before }))
      if (lines.length > limit) break
      // The rest of the server has its turn between two files.
      await new Promise(setImmediate)
    }
    const last = lines.length > limit ? lines[limit - 1] : undefined
    return { lines: lines.slice(0, limit), ...(last && { next: last.id }) }
  }

  close(): void {
    if (this.#isClosed) return
    for (let left = Math.ceil(queuedMax / batchMax); left > 0 && this.#queue.length > 0; left--) this.flush()
    this.#isClosed = true
    this.#timer?.clear()
    for (const segment of this.#segments.values()) segment.close()
    this.#segments.clear()
  }

  #done(batch: readonly Queued[]): void {
    this.#tries = 0
    this.#queue = this.#queue.slice(batch.length)
    for (const { text } of batch) this.#queuedBytes -= text.length
  }

  #drop(batch: readonly Queued[]): void {
    this.#leftOut += batch.length
    this.#done(batch)
  }

  #plan(ms: number): void {
    if (this.#isClosed) return
    this.#timer ??= this.#options.clock.after(ms, () => this.flush(), { background: true })
  }

  #wordsOfLost(): readonly NewLine[] {
    if (this.#leftOut === 0) return []
    const message = 'Lines were left out of the index of the log, which had no room for them'
    const fields = { linesLeftOut: this.#leftOut }
    return [{ at: this.#options.clock.now(), level: 'warn', source: 'control', message, fields }]
  }

  #searchIn(number: number, query: LogQuery, wish: { limit: number; before: number }): readonly LogLine[] {
    try {
      return this.#open(number)
        .search(query, wish)
        .map((row) => lineOf(row, `${number}`))
    } catch (error) {
      // Age has ended it, or it is damaged: the others go on.
      this.#tell(error)
      return []
    }
  }

  /** The segment that takes lines now; a new one when that is full. */
  #newest(): LogSegment {
    const number = this.#numbers().at(-1) ?? 0
    const newest = this.#open(number)
    return newest.bytes < this.#options.bytesMax / segmentsMax ? newest : this.#open(number + 1)
  }

  #open(number: number): LogSegment {
    const known = this.#segments.get(number)
    if (known) return known
    mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 })
    const opened = new LogSegment(this.#path(number))
    this.#segments.set(number, opened)
    return opened
  }

  /** In order. */
  #numbers(): readonly number[] {
    return namesIn(this.#options.folder)
      .flatMap((name) => nameShape.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b)
  }

  #path(number: number): string {
    return join(this.#options.folder, `lines-${String(number).padStart(6, '0')}.db`)
  }

  /** Ends files by size with each batch, and by age now and then. The newest stays. */
  #forget(): void {
    const { clock, bytesMax, ageMaxMs } = this.#options
    const older = this.#numbers().slice(0, -1)
    let bytes = older.reduce((sum, number) => sum + this.#open(number).bytes, 0)
    const isAgeDue = clock.monotonic() - this.#forgottenAt >= forgetMs
    if (isAgeDue) this.#forgottenAt = clock.monotonic()
    for (const number of older) {
      const segment = this.#open(number)
      const isFull = bytes > bytesMax - bytesMax / segmentsMax
      if (!isFull && !(isAgeDue && (segment.newestAt ?? 0) < clock.now() - ageMaxMs)) continue
      bytes -= segment.bytes
      this.#remove(number)
    }
  }

  #remove(number: number): void {
    this.#segments.get(number)?.close()
    this.#segments.delete(number)
    for (const end of ['', '-wal', '-shm']) rmSync(`${this.#path(number)}${end}`, { force: true })
  }

  /** A file that fails is closed, so that the next batch opens it anew; one that is no database goes. */
  #letGo(error: unknown): void {
    const newest = this.#numbers().at(-1)
    if (newest !== undefined) {
      this.#segments.get(newest)?.close()
      this.#segments.delete(newest)
      if (isDamaged(error)) this.#remove(newest)
    }
    if (!isBusy(error)) this.#tell(error)
  }

  #tell(error: unknown): void {
    const now = this.#options.clock.monotonic()
    if (now - this.#toldAt < troubleMs) return
    this.#toldAt = now
    this.#options.onTrouble(error)
  }
}

/** @throws api.cursor */
function placeOf(after: string | undefined): { readonly segment: number; readonly before: number } {
  if (after === undefined) return { segment: Number.MAX_SAFE_INTEGER, before: 0 }
  const [, segment, before] = /^(\d{1,15}):(\d{1,15})$/.exec(after) ?? []
  if (segment === undefined) throw fail('api.cursor')
  return { segment: Number(segment), before: Number(before) }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** SQLITE_BUSY and SQLITE_LOCKED: another server writes at this moment. */
const isBusy = (error: unknown) => [5, 6].includes(resultOf(error))
/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const isDamaged = (error: unknown) => [11, 26].includes(resultOf(error))

function resultOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : 0
}
