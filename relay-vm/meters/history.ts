/**
 * The last ten minutes of a tunnel by second and its last six hours by ten seconds, and how its visitors fared: an hour
 * by minute and ten minutes by ten seconds. A chart is then complete when somebody opens it. Only this process
 * keeps it: a restart forgets it, and the control plane keeps minutes and hours. It is bounded by a fixed number of
 * tunnels, shared by account; times in which nothing changed take no room, and a tunnel that was idle for six hours has
 * none.
 */
import { answerPlaces } from '@porttunneler/shared/api/schemas/relays'
import type { LiveHistory } from '@porttunneler/shared/api/schemas/tunnels'
import type { FairPool } from '@porttunneler/shared/base/fair-pool'
import { makePool } from '../policy/pools.ts'
import { RecentResults } from './recent-results.ts'
import { ResultGrowth } from './result-growth.ts'
import type { MeterReading, TunnelMeter } from './tunnel-meter.ts'

/** 100 KB each at most, when something changes all the time. */
const tunnelsMax = 512
const secondMs = 1_000
const tenMs = 10_000
const minuteMs = 60_000
const slots = { seconds: 600, tens: 2_160, resultTens: 60, minutes: 60 } as const
const keptMs = slots.tens * tenMs
/** Memory is taken for this many slots at a time. */
const slotsPerPiece = 60
/** Whether anything changed, bytes from visitors, bytes to them, visitors opened, the most open, open at its end. */
const width = 6
type Row = LiveHistory['seconds'][number]
type Counts = { in: number; out: number; opened: number; active: number }

/** Slots by their time, in pieces; the oldest pieces go. */
class Ring {
  /** By their number since the epoch, oldest first. Single precision: a ten-millionth is not seen in a chart. */
  readonly #pieces = new Map<number, Float32Array>()
  readonly #slots: number
  readonly #stepMs: number

  constructor(count: number, stepMs: number) {
    this.#slots = count
    this.#stepMs = stepMs
  }

  add(nowMs: number, counts: Counts): void {
    const step = Math.floor(nowMs / this.#stepMs)
    const figures = this.#pieceOf(Math.floor(step / slotsPerPiece))
    const at = (step % slotsPerPiece) * width
    figures[at] = 1
    figures[at + 1] = (figures[at + 1] ?? 0) + counts.in
    figures[at + 2] = (figures[at + 2] ?? 0) + counts.out
    figures[at + 3] = (figures[at + 3] ?? 0) + counts.opened
    figures[at + 4] = Math.max(figures[at + 4] ?? 0, counts.active)
    figures[at + 5] = counts.active
  }

  /** Oldest first, those that began after `since`. */
  read(nowMs: number, since: number): Row[] {
    const rows: Row[] = []
    const from = Math.max(since, nowMs - this.#slots * this.#stepMs)
    for (const [piece, figures] of [...this.#pieces].sort(([a], [b]) => a - b))
      for (let slot = 0; slot < slotsPerPiece; slot++) {
        const begin = (piece * slotsPerPiece + slot) * this.#stepMs
        const [isUsed, ...counts] = figures.subarray(slot * width, (slot + 1) * width)
        if (isUsed !== 1 || begin <= from || begin > nowMs) continue
        const [bytesIn = 0, out = 0, opened = 0, most = 0, last = 0] = counts
        rows.push([begin, Math.round(bytesIn), Math.round(out), opened, most, last])
      }
    return rows
  }

  #pieceOf(piece: number): Float32Array {
    const known = this.#pieces.get(piece)
    if (known) return known
    const made = new Float32Array(slotsPerPiece * width)
    this.#pieces.set(piece, made)
    const oldest = piece - Math.ceil(this.#slots / slotsPerPiece)
    // A clock that was put back leaves pieces of a time to come, which go too.
    for (const each of this.#pieces.keys()) if (each < oldest || each > piece) this.#pieces.delete(each)
    return made
  }
}

type Counted = Pick<MeterReading, 'in' | 'out' | 'opened' | 'refused' | 'active'>
const nothing: Counted = { in: 0, out: 0, opened: 0, refused: 0, active: 0 }
type Kept = {
  readonly seconds: Ring
  readonly tens: Ring
  readonly results: RecentResults
  readonly resultTens: RecentResults
  changedMs: number
}
/** The rings are made once it has a place. */
type Track = { kept: Kept | undefined }

export class History {
  readonly #tracks = new Map<TunnelMeter, Track>()
  readonly #places: FairPool<Track> = makePool('history', tunnelsMax)
  /** The figures at the sample before. */
  readonly #before = new WeakMap<TunnelMeter, Counted>()
  readonly #growth = new WeakMap<TunnelMeter, ResultGrowth>()
  /** Until when a tunnel had no place for what it carried. */
  readonly #lostMs = new WeakMap<TunnelMeter, number>()
  #beganMs: number | undefined

  get size(): number {
    return this.#tracks.size
  }

  /** Call it once a second. Bytes since the sample before count as of now. */
  sample(meters: Iterable<TunnelMeter>, nowMs: number): void {
    this.#beganMs ??= nowMs
    const left = new Set(this.#tracks.keys())
    for (const meter of meters) {
      left.delete(meter)
      const read = meter.read()
      // A meter that is seen for the first time was made since the sample before.
      const before = this.#before.get(meter) ?? nothing
      if (isSame(read, before)) {
        const changedMs = this.#tracks.get(meter)?.kept?.changedMs ?? nowMs
        if (nowMs - changedMs > keptMs) this.#forget(meter)
        continue
      }
      this.#before.set(meter, read)
      const grown = this.#growthOf(meter).look(meter)
      const kept = this.#keptOf(meter)
      if (!kept) {
        this.#lostMs.set(meter, nowMs)
        continue
      }
      const counts = {
        in: read.in - before.in,
        out: read.out - before.out,
        opened: read.opened - before.opened,
        active: read.active,
      }
      kept.changedMs = nowMs
      kept.seconds.add(nowMs, counts)
      kept.tens.add(nowMs, counts)
      kept.results.add(nowMs, grown)
      kept.resultTens.add(nowMs, grown)
    }
    for (const meter of left) this.#forget(meter)
  }

  /**
   * Leaves out steps in which nothing changed.
   * @param since only steps that began after it
   */
  read(meter: TunnelMeter | undefined, nowMs: number, since = 0): LiveHistory {
    const kept = meter && this.#tracks.get(meter)?.kept
    const lost = (meter && this.#lostMs.get(meter)) ?? 0
    return {
      at: nowMs,
      since: Math.max(lost, this.#beganMs ?? nowMs),
      seconds: kept?.seconds.read(nowMs, since) ?? [],
      tens: kept?.tens.read(nowMs, since) ?? [],
      minutes: kept?.results.read(nowMs, since) ?? [],
      resultTens: kept?.resultTens.read(nowMs, since) ?? [],
    }
  }

  #growthOf(meter: TunnelMeter): ResultGrowth {
    const known = this.#growth.get(meter)
    if (known) return known
    const made = new ResultGrowth()
    this.#growth.set(meter, made)
    return made
  }

  /** undefined: its account has used its share of places. */
  #keptOf(meter: TunnelMeter): Kept | undefined {
    const known = this.#tracks.get(meter)
    if (known) return known.kept
    const track: Track = { kept: undefined }
    const path = [meter.account, meter.tunnel]
    const drop = () => {
      this.#lostMs.set(meter, track.kept?.changedMs ?? 0)
      this.#forget(meter)
    }
    if (this.#places.add(track, path, drop) !== undefined) return undefined
    track.kept = {
      seconds: new Ring(slots.seconds, secondMs),
      tens: new Ring(slots.tens, tenMs),
      results: new RecentResults(answerPlaces.latency, { stepMs: minuteMs, most: slots.minutes }),
      resultTens: new RecentResults(answerPlaces.latency, { stepMs: tenMs, most: slots.resultTens }),
      changedMs: 0,
    }
    this.#tracks.set(meter, track)
    return track.kept
  }

  #forget(meter: TunnelMeter): void {
    const track = this.#tracks.get(meter)
    if (!track) return
    this.#tracks.delete(meter)
    this.#places.remove(track)
  }
}

function isSame(a: Counted, b: Counted): boolean {
  return (Object.keys(nothing) as (keyof Counted)[]).every((name) => a[name] === b[name])
}
