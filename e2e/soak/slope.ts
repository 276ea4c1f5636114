/** Whether a figure of a process grows without end: fits a straight line to its samples, and says how sure it is. */

export type Point = { readonly atMs: number; readonly value: number }

export type Rise = {
  /** The rise of the line, from the first sample to the last. */
  readonly rise: number
  /** The smallest possible rise, with 95 % confidence; at most 0 if there may be none. */
  readonly least: number
  readonly mean: number
}

/** A line through fewer proves nothing. */
const blocksMin = 8
const blocksMax = 20
/** A process that has just begun to work grows for a while, which is no leak. */
const spanMsMin = 240_000

/**
 * Puts samples together in up to 20 blocks of equal length, and takes one value of each: neighbouring samples are
 * alike, so a line through all of them would seem much surer than it is.
 * @param take "floor" for memory, which a collector lets go up and down above what is really held
 * @returns undefined when there are too few samples to judge
 */
export function riseOf(points: readonly Point[], take: 'floor' | 'median'): Rise | undefined {
  const count = Math.min(blocksMax, Math.floor(points.length / 3))
  const spanMs = (points.at(-1)?.atMs ?? 0) - (points[0]?.atMs ?? 0)
  if (count < blocksMin || spanMs < spanMsMin) return undefined
  const blocks = Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * points.length) / count)
    const block = points.slice(from, Math.floor(((index + 1) * points.length) / count))
    return { atMs: mean(block.map(({ atMs }) => atMs)), value: pick(block, take) }
  })
  const { slope, error } = leastSquares(blocks)
  const certain = Math.max(0, Math.abs(slope) - 2 * error) * Math.sign(slope)
  return { rise: slope * spanMs, least: certain * spanMs, mean: mean(blocks.map(({ value }) => value)) }
}

function pick(block: readonly Point[], take: 'floor' | 'median'): number {
  const sorted = block.map(({ value }) => value).toSorted((a, b) => a - b)
  return sorted[take === 'floor' ? 0 : sorted.length >> 1] ?? 0
}

/** The slope, and its standard error. */
function leastSquares(points: readonly Point[]): { readonly slope: number; readonly error: number } {
  const x = mean(points.map(({ atMs }) => atMs))
  const y = mean(points.map(({ value }) => value))
  const sum = (of: (point: Point) => number) => points.reduce((total, point) => total + of(point), 0)
  const width = sum(({ atMs }) => (atMs - x) ** 2)
  const slope = sum(({ atMs, value }) => (atMs - x) * (value - y)) / width
  const squares = sum(({ atMs, value }) => (value - y - slope * (atMs - x)) ** 2)
  return { slope, error: Math.sqrt(squares / (points.length - 2) / width) }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
