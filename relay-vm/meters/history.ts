/**
 * The last minute of a tunnel by second and its last half hour by ten seconds, so that a chart is complete when
 * somebody opens it. Only this process keeps it: a restart forgets it, and the control plane keeps minutes and hours.
 * It is bounded by a fixed number of tunnels with a fixed number of slots each, shared by account; idle tunnels have
 * none.
 */
import type { LiveHistory } from '@porttunneler/shared/api/schemas/tunnels'
import type { FairPool } from '@porttunneler/shared/base/fair-pool'
import { makePool } from '../policy/pools.ts'
import type { MeterReading, TunnelMeter } from './tunnel-meter.ts'

/** 8 KB each. */
const tunnelsMax = 512
const secondMs = 1_000
const tenMs = 10_000
const slots = { seconds: 60, tens: 180 } as const
/** When the slot began, bytes from visitors, bytes to them, visitors opened, the most that were open. */
const width = 5
type Row = LiveHistory['seconds'][number]

/** Slots by their time: a later time with the same place replaces it. */
class Ring {
  readonly #figures: Float64Array
  readonly #stepMs: number

  constructor(count: number, stepMs: number) {
    this.#figures = new Float64Array(count * width)
    this.#stepMs = stepMs
  }

  add(nowMs: number, [bytesIn, out, opened, active]: readonly [number, number, number, number]): void {
    const figures = this.#figures
    const step = Math.floor(nowMs / this.#stepMs)
    const at = (step % (figures.length / width)) * width
    const begin = step * this.#stepMs
    if (figures[at] !== begin) figures.fill(0, at, at + width)
    figures[at] = begin
    figures[at + 1] = (figures[at + 1] ?? 0) + bytesIn
    figures[at + 2] = (figures[at + 2] ?? 0) + out
    figures[at + 3] = (figures[at + 3] ?? 0) + opened
    figures[at + 4] = Math.max(figures[at + 4] ?? 0, active)
  }

  /** Oldest first. */
  read(nowMs: number): Row[] {
    const rows: Row[] = []
    const from = nowMs - (this.#figures.length / width) * this.#stepMs
    for (let at = 0; at < this.#figures.length; at += width) {
      const [begin = 0, bytesIn = 0, out = 0, opened = 0, active = 0] = this.#figures.subarray(at, at + width)
      if (begin > from && begin <= nowMs) rows.push([begin, bytesIn, out, opened, active])
    }
    return rows.sort(([a], [b]) => a - b)
  }
}

type Counted = Pick<MeterReading, 'in' | 'out' | 'opened' | 'active'>
const nothing: Counted = { in: 0, out: 0, opened: 0, active: 0 }
/** The rings are made once it has a place. */
type Track = { rings: { readonly seconds: Ring; readonly tens: Ring } | undefined }

export class History {
  readonly #tracks = new Map<TunnelMeter, Track>()
  readonly #places: FairPool<Track> = makePool('history', tunnelsMax)
  /** The figures at the sample before. */
  readonly #before = new WeakMap<TunnelMeter, Counted>()

  get size(): number {
    return this.#tracks.size
  }

  /** Call it once a second. Bytes since the sample before count as of now. */
  sample(meters: Iterable<TunnelMeter>, nowMs: number): void {
    const left = new Set(this.#tracks.keys())
    for (const meter of meters) {
      left.delete(meter)
      const read = meter.read()
      // A meter that is seen for the first time was made since the sample before.
      const before = this.#before.get(meter) ?? nothing
      if (isSame(read, before)) continue
      this.#before.set(meter, read)
      const rings = this.#ringsOf(meter)
      if (!rings) continue
      const counts = [
        read.in - before.in,
        read.out - before.out,
        read.opened - before.opened,
        read.active,
      ] as const
      rings.seconds.add(nowMs, counts)
      rings.tens.add(nowMs, counts)
    }
    for (const meter of left) this.#forget(meter)
  }

  /** Leaves out steps in which nothing changed. */
  read(meter: TunnelMeter | undefined, nowMs: number): LiveHistory {
    const rings = meter && this.#tracks.get(meter)?.rings
    return { at: nowMs, seconds: rings?.seconds.read(nowMs) ?? [], tens: rings?.tens.read(nowMs) ?? [] }
  }

  /** undefined: its account has used its share of places. */
  #ringsOf(meter: TunnelMeter): Track['rings'] {
    const known = this.#tracks.get(meter)
    if (known) return known.rings
    const track: Track = { rings: undefined }
    const path = [meter.account, meter.tunnel]
    if (this.#places.add(track, path, () => this.#forget(meter)) !== undefined) return undefined
    track.rings = { seconds: new Ring(slots.seconds, secondMs), tens: new Ring(slots.tens, tenMs) }
    this.#tracks.set(meter, track)
    return track.rings
  }

  #forget(meter: TunnelMeter): void {
    const track = this.#tracks.get(meter)
    if (!track) return
    this.#tracks.delete(meter)
    this.#places.remove(track)
  }
}

function isSame(a: Counted, b: Counted): boolean {
  return a.in === b.in && a.out === b.out && a.opened === b.opened && a.active === b.active
}
