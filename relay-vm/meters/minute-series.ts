/** The figures of each minute of a tunnel’s hour: flat lists while they are counted, text in reports and files. */
import { answerShape, minuteShape, type Usage } from '@porttunneler/shared/api/schemas/relays'
import { codesMax, otherCode, singleShape, timesShape } from '@porttunneler/shared/api/schemas/results'
import { packCounts, unpackCounts } from '@porttunneler/shared/base/packed-counts'
import type { Growth } from './result-growth.ts'

const shapes = { minutes: minuteShape, answers: answerShape, times: timesShape, open: singleShape } as const
type Field = keyof typeof shapes
export type PackedSeries = Pick<Usage, Field | 'codes'>

export class MinuteSeries {
  /** Made when there is something to count. */
  readonly #fields: { [N in Field]?: Float64Array } = {}
  readonly #codes = new Map<string, Float64Array>()

  /** @param kept goes on with what a file or a report has */
  constructor(kept: PackedSeries) {
    for (const field of Object.keys(shapes) as Field[]) {
      const figures = listOf(kept[field], shapes[field])
      if (figures) this.#fields[field] = figures
    }
    for (const [code, packed] of Object.entries(kept.codes ?? {})) {
      const figures = listOf(packed, singleShape)
      if (figures) this.#codes.set(code, figures)
    }
  }

  /** @param counted bytes from visitors, bytes to them, visitors opened */
  carried(minute: number, counted: readonly [number, number, number]): void {
    addAt(this.#of('minutes'), minute * minuteShape.width, counted)
  }

  /** @param active visitors that are open now */
  wereOpen(minute: number, active: number): void {
    const open = this.#fields.open
    if (active <= (open?.[minute] ?? 0)) return
    this.#of('open')[minute] = active
  }

  resulted(minute: number, { answers, times, codes }: Growth): void {
    if (answers) addAt(this.#of('answers'), minute * answerShape.width, answers)
    if (times) addAt(this.#of('times'), minute * timesShape.width, times)
    for (const [code, count] of codes) addAt(this.#ofCode(code), minute, [count])
  }

  packed(): PackedSeries {
    const packed: PackedSeries = {}
    for (const field of Object.keys(shapes) as Field[]) {
      const figures = this.#fields[field]
      if (figures) packed[field] = packCounts(figures, shapes[field])
    }
    const codes = Array.from(this.#codes, ([code, figures]) => [code, packCounts(figures, singleShape)])
    return { minutes: '', ...packed, ...(codes.length > 0 && { codes: Object.fromEntries(codes) }) }
  }

  #of(field: Field): Float64Array {
    const known = this.#fields[field]
    if (known) return known
    const { width, rows } = shapes[field]
    const made = new Float64Array(width * rows)
    this.#fields[field] = made
    return made
  }

  #ofCode(code: string): Float64Array {
    const place = this.#codes.has(code) || this.#codes.size < codesMax ? code : otherCode
    const known = this.#codes.get(place)
    if (known) return known
    const made = new Float64Array(singleShape.rows)
    this.#codes.set(place, made)
    return made
  }
}

function addAt(figures: Float64Array, from: number, counts: ArrayLike<number>): void {
  for (let at = 0; at < counts.length; at++)
    figures[from + at] = (figures[from + at] ?? 0) + (counts[at] ?? 0)
}

/** '': an hour that begins. undefined: no such series, or one of a later release. */
function listOf(packed: string | undefined, shape: (typeof shapes)[Field]): Float64Array | undefined {
  const figures = packed === undefined || packed === '' ? undefined : unpackCounts(packed, shape)
  return figures && Float64Array.from(figures)
}
