/** Times in which visitors met an error, from counts by step. */

type Run = {
  readonly code: string
  readonly from: number
  /** Where its last step begins. */
  readonly to: number
  readonly count: number
}

/**
 * Steps with the same code that follow one another are one run, newest first.
 * @param gapMs steps that are no further apart belong together
 */
export function runsOf(
  codes: ReadonlyMap<number, Readonly<Record<string, number>>>,
  gapMs: number,
): readonly Run[] {
  const done: Run[] = []
  const open = new Map<string, Run>()
  for (const [at, counts] of [...codes].sort(([a], [b]) => a - b))
    for (const [code, count] of Object.entries(counts)) {
      const run = open.get(code)
      if (run && at - run.to <= gapMs) {
        open.set(code, { ...run, to: at, count: run.count + count })
        continue
      }
      if (run) done.push(run)
      open.set(code, { code, from: at, to: at, count })
    }
  return [...done, ...open.values()].sort((a, b) => b.from - a.from)
}
