/** The codes of errors that visitors met, as lines of a chart: those met most often, and all others together. */

/** In this order (docs/design.md). The sixth is that of the others. */
export const chartColours = [
  '--chart-1',
  '--chart-2',
  '--chart-3',
  '--chart-4',
  '--chart-5',
  '--chart-6',
] as const

type Column = readonly (number | null)[]
type CodeLine = { readonly label: string; readonly values: Column }
type Results = {
  readonly at: readonly number[]
  /** It is null where nobody knows what happened. */
  readonly serverError: Column
  readonly codes: ReadonlyMap<number, Readonly<Record<string, number>>>
}

const shownMax = chartColours.length - 1

/** @returns no line when there was no error */
export function linesOfCodes({ at, serverError, codes }: Results): readonly CodeLine[] {
  const totals = new Map<string, number>()
  for (const counts of codes.values())
    for (const [code, count] of Object.entries(counts)) totals.set(code, (totals.get(code) ?? 0) + count)
  // Names decide between equals, so that lines keep their colours from look to look.
  const sorted = [...totals].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([code]) => code)
  const shown = sorted.slice(0, shownMax)
  const others = sorted.slice(shownMax)
  const column = (names: readonly string[]): Column =>
    at.map((time, place) => {
      const counts = codes.get(time)
      if (!counts) return serverError[place] === null ? null : 0
      return names.reduce((sum, name) => sum + (counts[name] ?? 0), 0)
    })
  const lines = shown.map((code) => ({ label: code, values: column([code]) }))
  return others.length === 0 ? lines : [...lines, { label: 'Others', values: column(others) }]
}
