/**
 * Usage for the control plane: cumulative figures per tunnel, UTC hour and boot, kept on disk until the control plane
 * says that it has them. A repeated report changes nothing, a lost one is sent again, and a crash loses what was
 * carried since the last `save` and can never add anything. It is bounded: when there are too many rows, the oldest of
 * the account with the most rows are dropped, and `dropped` counts them. In reports accounts take turns. What walks all
 * rows does so in slices, because visitors wait meanwhile.
 */
import { join } from 'node:path'
import { syncMax, type Usage, usageSchema } from '@porttunneler/shared/api/schemas/relays'
import { newId } from '@porttunneler/shared/base/ids'
import { otherTurns } from '@porttunneler/shared/base/other-turns'
import { z } from 'zod'
import { KeptFile, listText, type OnSetAside, readJson } from '../files.ts'
import { makePool } from '../policy/pools.ts'
import { turnsOf } from '../policy/take-turns.ts'
import { MinuteSeries, type PackedSeries } from './minute-series.ts'
import { ResultGrowth } from './result-growth.ts'
import type { MeterReading, TunnelMeter } from './tunnel-meter.ts'

const hourMs = 3_600_000
/** 250 bytes a row: a file of 12 MB at most. With 5,000 busy tunnels it holds ten hours without a control plane. */
const rowsMax = 50_000
const minuteMs = 60_000
/** Minutes are for charts: when this many rows wait, further ones have no minutes, and the file stays small enough. */
const minuteRowsMax = 10_000
/** The most bytes of minutes in one report, so that it is never too large for the control plane. */
const reportMinutesMax = 3 * 1024 * 1024
/** Rows looked at, and rows packed or acknowledged, in one slice: about 1 ms each. */
const slice = { looks: 2_000, changes: 100 } as const

/** Fields of a later release are ignored; older files have no version. */
const journalSchema = z.object({ version: z.literal(1).default(1), rows: z.array(usageSchema) })

/** A running hour is reported again after this many more bytes, whatever the time. */
const reportBytes = 64 * 1024 * 1024

export type UsageOptions = {
  readonly boot: string
  /** Server-corrected wall time. */
  readonly nowMs: number
  /** A running hour that changed is reported again after this time. */
  readonly everyMs: number
  readonly onSetAside?: OnSetAside
}

type Row = {
  readonly usage: { -readonly [K in keyof Usage]: Usage[K] }
  /** The minutes of a row that is being counted; those of other rows are packed in `usage`. */
  series: MinuteSeries | undefined
  /** What the control plane has, and since when; undefined: it never got this row. */
  known: { readonly figures: Counted; readonly atMs: number } | undefined
  /** The control plane will never take it. */
  isRefused: boolean
}
type Counted = Pick<MeterReading, 'in' | 'out' | 'opened' | 'refused'>
const nothing: Counted = { in: 0, out: 0, opened: 0, refused: 0 }

const seriesFields = ['minutes', 'answers', 'times', 'open', 'codes'] as const

type ReportOptions = {
  /** The last report before exit: leaves out only what the control plane already has. */
  readonly all?: boolean
  /** How much more an account has to carry before its bytes alone make a running hour due. */
  readonly bytesOf?: (account: string) => number
}

/** Names the counting process: figures under one name never go back. */
export function newBoot(nowMs: number): string {
  return newId('rel', nowMs).slice('rel_'.length)
}

export class UsageJournal {
  readonly #file: KeptFile
  readonly #everyMs: number
  readonly #rows = new Map<string, Row>()
  /** The rows, and those with minutes, by account. */
  readonly #places
  readonly #minutePlaces
  /** Per meter, what has already been put into rows. */
  readonly #accounted = new WeakMap<TunnelMeter, Counted>()
  readonly #results = new WeakMap<TunnelMeter, ResultGrowth>()
  #boot: string
  #hour: number
  /** The minute of the hour. */
  #minute: number
  #onHour: (hour: number) => void = () => {}
  /** Rows dropped because the journal was full. */
  dropped = 0
  /** Rows that the control plane refused for good. */
  refused = 0

  private constructor(path: string, { boot, nowMs, everyMs }: UsageOptions, rows: readonly Usage[]) {
    this.#file = new KeptFile(path, () => listText('rows', this.#rows.values().map(usageOf)))
    this.#boot = boot
    this.#everyMs = everyMs
    this.#hour = hourOf(nowMs)
    this.#minute = minuteOf(nowMs)
    this.#places = makePool<Row>('usage', rowsMax)
    this.#minutePlaces = makePool<Row>('minutes', minuteRowsMax)
    for (const usage of rows) this.#keep({ ...usage })
  }

  /** @throws relay.data */
  static async load(dataDir: string, options: UsageOptions): Promise<UsageJournal> {
    const path = join(dataDir, 'usage.json')
    const kept = await readJson(path, journalSchema, options.onSetAside)
    return new UsageJournal(path, options, kept?.rows ?? [])
  }

  /** `listen` is called for each hour that begins, when everything before is accounted. */
  whenHour(listen: (hour: number) => void): void {
    this.#onHour = listen
  }

  get size(): number {
    return this.#rows.size
  }

  /**
   * Puts what the meters counted since the last call into the hour and minute of the last call. Call it also shortly
   * after every full hour, so that little lands in the wrong one. `nowMs` is server-corrected wall time.
   */
  account(meters: Iterable<TunnelMeter>, nowMs: number): void {
    for (const meter of meters) this.#accountOne(meter)
    const hour = hourOf(nowMs)
    // Time was put back into an hour whose figures may be acknowledged and gone: the hour goes on under another boot.
    if (hour < this.#hour) this.#boot = newBoot(nowMs)
    const isNew = hour !== this.#hour
    this.#hour = hour
    this.#minute = minuteOf(nowMs)
    if (isNew) this.#onHour(hour)
  }

  /**
   * The rows to report now, oldest first: closed hours, and running ones that changed enough.
   */
  async report(nowMs: number, options: ReportOptions = {}): Promise<readonly Usage[]> {
    const report: Usage[] = []
    let minutes = 0
    let left = slice.changes
    for (const row of turnsOf((await this.#findDue(nowMs, options)).values(), syncMax.usage)) {
      if (left-- === 0) {
        await otherTurns()
        left = slice.changes
      }
      // It may have yielded to another row meanwhile.
      if (!this.#places.has(row)) continue
      const usage = usageOf(row)
      report.push(usage)
      minutes += lengthOf(usage)
      if (minutes > reportMinutesMax) break
    }
    return report
  }

  /** Forgets what is done, packs the minutes of hours that are over, and finds the rows that are due, by account. */
  async #findDue(
    nowMs: number,
    { all = false, bytesOf = () => reportBytes }: ReportOptions,
  ): Promise<Map<string, Row[]>> {
    const due = new Map<string, Row[]>()
    let left: number = slice.looks
    for (const row of [...this.#rows.values()]) {
      if (left <= 0) {
        await otherTurns()
        left = slice.looks
      }
      left -= 1
      if (!this.#places.has(row)) continue
      if (this.#isDone(row)) {
        this.#forget(row)
        left -= slice.looks / slice.changes
        continue
      }
      if (row.series && !this.#isRunning(row)) {
        packMinutes(row)
        left -= slice.looks / slice.changes
      }
      if (!(all ? this.#isNews(row) : this.#isDue(row, { nowMs, bytesOf }))) continue
      const line = due.get(row.usage.account)
      if (line) line.push(row)
      else due.set(row.usage.account, [row])
    }
    return due
  }

  /** The control plane has stored `report`, except for the rows at the places in `refused`, which it never will. */
  async acknowledge(
    report: readonly Usage[],
    nowMs: number,
    refused: ReadonlySet<number> = new Set(),
  ): Promise<void> {
    for (const [index, sent] of report.entries()) {
      if (index % slice.changes === slice.changes - 1) await otherTurns()
      const row = this.#rows.get(rowKey(sent))
      if (row === undefined) continue
      row.known = { figures: sent, atMs: nowMs }
      if (refused.has(index)) {
        this.refused += 1
        row.isRefused = true
      }
      if (this.#isDone(row)) this.#forget(row)
    }
  }

  /** Writes the journal when it changed. @throws relay.data */
  save(): Promise<void> {
    return this.#file.save()
  }

  #isRunning({ usage }: Row): boolean {
    return usage.boot === this.#boot && usage.hour === this.#hour
  }

  /** A running row stays: its counters go on, and must not begin anew under the same name. */
  #isDone(row: Row): boolean {
    const isTaken = row.known !== undefined && sameFigures(row.usage, row.known.figures)
    return !this.#isRunning(row) && (isTaken || row.isRefused)
  }

  #isNews({ usage, known, isRefused }: Row): boolean {
    return !isRefused && (known === undefined || !sameFigures(usage, known.figures))
  }

  #isDue(row: Row, { nowMs, bytesOf }: { nowMs: number; bytesOf: (account: string) => number }): boolean {
    const { usage, known } = row
    if (!this.#isNews(row)) return false
    if (known === undefined || !this.#isRunning(row)) return true
    const bytes = usage.in + usage.out - known.figures.in - known.figures.out
    const enough = Math.min(reportBytes, bytesOf(usage.account))
    return bytes >= enough || nowMs - known.atMs >= this.#everyMs
  }

  #forget(row: Row): void {
    this.#rows.delete(rowKey(row.usage))
    this.#places.remove(row)
    this.#minutePlaces.remove(row)
    this.#file.changed()
  }

  #accountOne(meter: TunnelMeter): void {
    const read = meter.read()
    const before = this.#accounted.get(meter) ?? nothing
    if (sameFigures(read, before)) {
      // That visitors stay open is told with what else happens in the hour, and needs no report of its own.
      if (read.active > 0) this.#rows.get(this.#keyOf(meter))?.series?.wereOpen(this.#minute, read.active)
      return
    }
    this.#accounted.set(meter, read)
    const { usage, series } = this.#rowOf(meter)
    const results = this.#growthOf(meter).look(meter)
    const counted = [read.in - before.in, read.out - before.out, read.opened - before.opened] as const
    usage.in += counted[0]
    usage.out += counted[1]
    usage.opened += counted[2]
    if (series) {
      series.carried(this.#minute, counted)
      series.wereOpen(this.#minute, read.active)
      series.resulted(this.#minute, results)
    }
    usage.refused += read.refused - before.refused
    this.#file.changed()
  }

  #growthOf(meter: TunnelMeter): ResultGrowth {
    const known = this.#results.get(meter)
    if (known) return known
    const made = new ResultGrowth()
    this.#results.set(meter, made)
    return made
  }

  #keyOf({ tunnel }: TunnelMeter): string {
    return rowKey({ tunnel, boot: this.#boot, hour: this.#hour })
  }

  #rowOf({ tunnel, account }: TunnelMeter): Row {
    const usage = { tunnel, account, boot: this.#boot, hour: this.#hour, ...nothing }
    const key = rowKey(usage)
    const known = this.#rows.get(key)
    if (known !== undefined) {
      if (known.usage.minutes !== undefined) known.series ??= new MinuteSeries(known.usage)
      return known
    }
    const row = this.#keep({ ...usage, minutes: '' })
    if (row.usage.minutes !== undefined) row.series = new MinuteSeries(row.usage)
    return row
  }

  #keep(usage: Row['usage']): Row {
    const row: Row = { usage, series: undefined, known: undefined, isRefused: false }
    const path = [usage.account, usage.tunnel]
    this.#places.add(row, path, () => {
      this.#forget(row)
      this.dropped += 1
    })
    this.#rows.set(rowKey(usage), row)
    if (usage.minutes !== undefined)
      this.#minutePlaces.add(row, path, () => {
        row.series = undefined
        for (const field of seriesFields) delete row.usage[field]
      })
    return row
  }
}

function hourOf(ms: number): number {
  return Math.floor(ms / hourMs) * hourMs
}

function minuteOf(ms: number): number {
  return Math.floor((ms - hourOf(ms)) / minuteMs)
}

/** The row as it is reported and kept. */
function usageOf(row: Row): Usage {
  return { ...row.usage, ...row.series?.packed() }
}

/** Characters of its minutes. */
function lengthOf(usage: PackedSeries): number {
  const codes = Object.values(usage.codes ?? {}).reduce((sum, { length }) => sum + length, 0)
  const { minutes = '', answers = '', times = '', open = '' } = usage
  return minutes.length + answers.length + times.length + open.length + codes
}

/** As text they take a quarter of the space. */
function packMinutes(row: Row): void {
  Object.assign(row.usage, row.series?.packed())
  row.series = undefined
}

function rowKey({ tunnel, hour, boot }: Pick<Usage, 'tunnel' | 'hour' | 'boot'>): string {
  return `${tunnel}:${hour}:${boot}`
}

function sameFigures(a: Counted, b: Counted): boolean {
  return a.in === b.in && a.out === b.out && a.opened === b.opened && a.refused === b.refused
}
