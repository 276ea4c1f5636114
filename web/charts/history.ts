/** The last minutes of one tunnel as columns for the chart: one point a second, oldest first, bounded. */
import type { Figures } from './rates.ts'

/** Five minutes: what fits a chart of a phone's width at one pixel a second. */
export const historyPoints = 300
/** The last minute, which a row of the list draws. */
export const sparkPoints = 60

export type Columns = {
  /** Seconds since the epoch, as the chart library wants them. */
  readonly at: number[]
  readonly in: (number | null)[]
  readonly out: (number | null)[]
  readonly active: (number | null)[]
}

export function emptyColumns(): Columns {
  return { at: [], in: [], out: [], active: [] }
}

/** Appends in place; null draws a gap. */
export function appendPoint(columns: Columns, atMs: number, figures: Figures | null): void {
  columns.at.push(atMs / 1_000)
  columns.in.push(figures?.rates.in ?? null)
  columns.out.push(figures?.rates.out ?? null)
  columns.active.push(figures?.active ?? null)
  if (columns.at.length <= historyPoints) return
  for (const column of [columns.at, columns.in, columns.out, columns.active]) column.shift()
}
