/**
 * Usage for the control plane: cumulative figures per tunnel, UTC hour and boot, kept on disk until the control plane
 * says that it has them. A repeated report changes nothing, a lost one is sent again, and a crash loses what was
 * carried since the last `save` and can never add anything. It is bounded: when there are too many rows, the oldest of
 * the account with the most rows are dropped, and `dropped` counts them. In reports accounts take turns. What walks all
 * rows does so in slices, because visitors wait meanwhile.
 */
import { join } from 'node:path'
import {
  answerShape,
  minuteShape,
  syncMax,
  type Usage,
  usageSchema,
} from '@porttunneler/shared/api/schemas/relays'
import { newId } from '@porttunneler/shared/base/ids'
import { otherTurns } from '@porttunneler/shared/base/other-turns'
import { z } from 'zod'
import { KeptFile, listText, type OnSetAside, readJson } from '../files.ts'
import { makePool } from '../policy/pools.ts'
import { turnsOf } from '../policy/take-turns.ts'
import { answersOf, minutesOf, packedOf } from './minute-series.ts'
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
  minutes: Float64Array | undefined
  /** The row's answers, in the same way. */
  answers: Float64Array | undefined
  /** What the control plane has, and since when; undefined: it never got this row. */
  known: { readonly figures: Counted; readonly atMs: number } | undefined
  /** The control plane will never take it. */
  isRefused: boolean
}
type Counted = Pick<MeterReading, 'in' | 'out' | 'opened' | 'refused'>
const nothing: Counted = { in: 0, out: 0, opened: 0, refused: 0 }

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
  readonly #answered = new WeakMap<TunnelMeter, Float64Array>()
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
      minutes += (usage.minutes?.length ?? 0) + (usage.answers?.length ?? 0)
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
      if (row.minutes && !this.#isRunning(row)) {
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
    if (sameFigures(read, before)) return
    this.#accounted.set(meter, read)
    const row = this.#rowOf(meter)
    const { usage, minutes } = row
    const counted = [read.in - before.in, read.out - before.out, read.opened - before.opened] as const
    usage.in += counted[0]
    usage.out += counted[1]
    usage.opened += counted[2]
    if (minutes)
      for (const [at, count] of counted.entries()) {
        const place = this.#minute * minuteShape.width + at
        minutes[place] = (minutes[place] ?? 0) + count
      }
    // If minutes found no place there is none for answers either.
    if (minutes && meter.answerCounts) this.#accountAnswers(row, meter, meter.answerCounts)
    usage.refused += read.refused - before.refused
    this.#file.changed()
  }

  #accountAnswers(row: Row, meter: TunnelMeter, counts: Float64Array): void {
    const before = this.#answered.get(meter)
    const place = this.#minute * answerShape.width
    row.answers ??= answersOf(row.usage) ?? new Float64Array(answerShape.width * answerShape.rows)
    for (const [at, count] of counts.entries())
      row.answers[place + at] = (row.answers[place + at] ?? 0) + count - (before?.[at] ?? 0)
    if (before) before.set(counts)
    else this.#answered.set(meter, counts.slice())
  }

  #rowOf({ tunnel, account }: TunnelMeter): Row {
    const usage = { tunnel, account, boot: this.#boot, hour: this.#hour, ...nothing }
    const key = rowKey(usage)
    const known = this.#rows.get(key)
    if (known !== undefined) {
      known.minutes ??= minutesOf(known.usage)
      return known
    }
    const row = this.#keep({ ...usage, minutes: '' })
    row.minutes = minutesOf(row.usage)
    return row
  }

  #keep(usage: Row['usage']): Row {
    const row: Row = { usage, minutes: undefined, answers: undefined, known: undefined, isRefused: false }
    const path = [usage.account, usage.tunnel]
    this.#places.add(row, path, () => {
      this.#forget(row)
      this.dropped += 1
    })
    this.#rows.set(rowKey(usage), row)
    if (usage.minutes !== undefined)
      this.#minutePlaces.add(row, path, () => {
        row.minutes = row.answers = undefined
        delete row.usage.minutes
        delete row.usage.answers
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
  return { ...row.usage, ...packedOf(row) }
}

/** As text they take a quarter of the space. */
function packMinutes(row: Row): void {
  Object.assign(row.usage, packedOf(row))
  row.minutes = row.answers = undefined
}

function rowKey({ tunnel, hour, boot }: Pick<Usage, 'tunnel' | 'hour' | 'boot'>): string {
  return `${tunnel}:${hour}:${boot}`
}

function sameFigures(a: Counted, b: Counted): boolean {
  return a.in === b.in && a.out === b.out && a.opened === b.opened && a.refused === b.refused
}
