/**
 * What charts show beside bytes, as rows, periods and months keep it: how requests were answered, how soon, which codes
 * visitors met, and how many were open. Shown, and never billed. Each is a series of steps packed as text; a document
 * of a release that did not know one omits it.
 */
import { answerShape } from '../../api/schemas/relays.ts'
import { codesMax, otherCode, singleShape, timesShape } from '../../api/schemas/results.ts'
import { highestCounts, packCounts, unpackCounts } from '../../base/packed-counts.ts'

type Counts = readonly number[]
/** What one step has; undefined: there were none. */
export type Results = {
  /** By the places of `answerShape`. */
  readonly answers?: Counts
  /** By the buckets of latency.ts. */
  readonly times?: Counts
  /** The most visitors that were open at a time; one figure. */
  readonly open?: Counts
  readonly codes?: Readonly<Record<string, number>>
}
/** One document may tell codes of many relays and hours: it keeps some more than a relay does of an hour. */
const codesKeptMax = 2 * codesMax
const widths = { answers: answerShape.width, times: timesShape.width, open: singleShape.width } as const
type Field = keyof typeof widths
const fields = Object.keys(widths) as Field[]
export type PackedResults = { readonly [N in Field]?: string } & {
  /** By code, each a series of single figures. */
  readonly codes?: Readonly<Record<string, string>>
}
/** As what comes from outside has them. */
export type GivenResults = { readonly [N in keyof PackedResults]: PackedResults[N] | undefined }
type Span = { readonly start: number; readonly stepMs: number; readonly rows: number }

/** These alone, of a document that has more. */
export function packedResultsIn({ answers, times, open, codes }: GivenResults): PackedResults {
  return {
    ...(answers && { answers }),
    ...(times && { times }),
    ...(open && { open }),
    ...(codes && { codes }),
  }
}

/**
 * Adds two results. Open visitors are added only if both are of one time (`beside`); else the higher figure counts.
 * @param how beside: of another tunnel or relay at the same time; after: of another time
 */
export function joinResults(a: Results, b: Results, how: 'beside' | 'after'): Results {
  const answers = sumOf(a.answers, b.answers)
  const times = sumOf(a.times, b.times)
  const open = how === 'beside' ? sumOf(a.open, b.open) : higherOf(a.open, b.open)
  const codes = sumCodes(a.codes, b.codes)
  return {
    ...(answers && { answers }),
    ...(times && { times }),
    ...(open && { open }),
    ...(codes && { codes }),
  }
}

function sumOf(a: Counts | undefined, b: Counts | undefined): Counts | undefined {
  return a && b ? a.map((count, at) => count + (b[at] ?? 0)) : (a ?? b)
}

function higherOf(a: Counts | undefined, b: Counts | undefined): Counts | undefined {
  return a && b ? a.map((count, at) => Math.max(count, b[at] ?? 0)) : (a ?? b)
}

function sumCodes(a: Results['codes'], b: Results['codes']): Results['codes'] {
  if (!a || !b) return a ?? b
  const sums: Record<string, number> = { ...a }
  for (const [code, count] of Object.entries(b)) sums[code] = (sums[code] ?? 0) + count
  return sums
}

/** The steps that are not empty, in no order: a step comes once for each thing that is known of it. */
export function* eachResult(
  packed: PackedResults,
  { start, stepMs, rows }: Span,
): Generator<readonly [at: number, results: Results]> {
  for (const field of fields)
    for (const [row, counts] of eachRow(packed[field], { width: widths[field], rows }))
      yield [start + row * stepMs, { [field]: counts }]
  for (const [code, text] of Object.entries(packed.codes ?? {}))
    for (const [row, [count = 0]] of eachRow(text, { width: 1, rows }))
      yield [start + row * stepMs, { codes: { [code]: count } }]
}

export function* eachRow(
  packed: string | undefined,
  shape: { readonly width: number; readonly rows: number },
): Generator<readonly [row: number, counts: Counts]> {
  const figures = packed === undefined || packed === '' ? undefined : unpackCounts(packed, shape)
  for (let row = 0; figures && row < shape.rows; row++) {
    const counts = figures.slice(row * shape.width, (row + 1) * shape.width)
    if (counts.some(Boolean)) yield [row, counts]
  }
}

/** All steps together. */
export function resultsTogether(packed: PackedResults, rows: number): Results {
  let all: Results = {}
  for (const [, results] of eachResult(packed, { start: 0, stepMs: 1, rows }))
    all = joinResults(all, results, 'after')
  return all
}

export function packResults(
  steps: Iterable<readonly [at: number, results: Results]>,
  { start, stepMs, rows }: Span,
): PackedResults {
  const lists: { [N in Field]?: number[] } = {}
  const codes = new Map<string, number[]>()
  for (const [at, results] of steps) {
    const row = (at - start) / stepMs
    for (const field of fields) {
      const counts = results[field]
      if (!counts) continue
      const width = widths[field]
      const list = lists[field] ?? new Array<number>(width * rows).fill(0)
      lists[field] = list
      list.splice(row * width, width, ...counts)
    }
    for (const [code, count] of Object.entries(results.codes ?? {})) {
      const list = codes.get(code) ?? new Array<number>(rows).fill(0)
      codes.set(code, list)
      list[row] = count
    }
  }
  const packed: { [N in Field]?: string } = {}
  for (const field of fields) {
    const list = lists[field]
    if (list) packed[field] = packCounts(list, { width: widths[field], rows })
  }
  const texts = Array.from(codes, ([code, list]) => [code, packCounts(list, { width: 1, rows })] as const)
  return { ...packed, ...(texts.length > 0 && { codes: Object.fromEntries(texts) }) }
}

/** The higher of both at each place: of cumulative reports of one source, or of sums that only rise, the newer. */
export function highestResults(a: GivenResults, b: GivenResults | undefined, rows: number): PackedResults {
  const packed: { [N in Field]?: string } = {}
  for (const field of fields) {
    const text = highestCounts(a[field], b?.[field], { width: widths[field], rows })
    if (text !== undefined) packed[field] = text
  }
  const codes = highestCodes(a.codes, b?.codes, rows)
  return { ...packed, ...(codes && { codes }) }
}

function highestCodes(
  a: GivenResults['codes'],
  b: GivenResults['codes'],
  rows: number,
): PackedResults['codes'] {
  if (!a || !b) return a ?? b
  const merged: Record<string, string> = { ...b }
  const left: string[] = []
  for (const code of Object.keys(a).sort()) {
    if (merged[code] === undefined && Object.keys(merged).length >= codesKeptMax) left.push(code)
    else merged[code] = highestCounts(a[code], merged[code], { width: 1, rows }) ?? ''
  }
  for (const code of left)
    merged[otherCode] = highestCounts(a[code], merged[otherCode], { width: 1, rows }) ?? ''
  return merged
}

export function isSameResults(a: PackedResults, b: PackedResults | undefined): boolean {
  return (
    fields.every((field) => (a[field] ?? '') === (b?.[field] ?? '')) &&
    isSameCodes(a.codes ?? {}, b?.codes ?? {})
  )
}

function isSameCodes(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((code) => a[code] === b[code])
}
