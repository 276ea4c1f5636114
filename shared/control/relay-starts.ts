/**
 * When the processes of a relay began, and as which version, for marks in charts: a pure rule. A process that takes a
 * running one's place has a document of its own, so the list passes from one to the next.
 */
import { startOfBoot } from '../base/ids.ts'
import type { RelayDoc } from './documents.ts'

export type RelayStart = { readonly at: number; readonly version: string }
type Known = Pick<RelayDoc, 'relay' | 'boot' | 'seenAt' | 'starts' | 'version' | 'bootAt'>

/** A month of daily restarts; some 40 bytes each. */
const startsMax = 30

/**
 * @param before its own document
 * @param others documents of the cell
 */
export function startsOf(
  { relay, boot, version }: Pick<RelayDoc, 'relay' | 'boot' | 'version'>,
  { before, others, nowMs }: { before: Known | undefined; others: readonly Known[]; nowMs: number },
): readonly RelayStart[] {
  if (before?.boot === boot && before.starts) return before.starts
  const [last] = [...(before ? [before] : []), ...others]
    .filter((one) => one.relay === relay && one.boot !== boot)
    .toSorted((a, b) => b.bootAt - a.bootAt)
  const known = last?.starts ?? (last ? [{ at: last.bootAt, version: last.version }] : [])
  // A clock that runs ahead must not put the mark into the future.
  const at = Math.min(startOfBoot(boot) ?? nowMs, nowMs)
  return [...known.filter((one) => one.at < at), { at, version }].slice(-startsMax)
}

export type RelayUpdate = { readonly at: number; readonly version: string; readonly before: string }

/** Starts at which a relay had another version than before, oldest first; relays that changed together are one. */
export function updatesOf(docs: readonly Pick<RelayDoc, 'relay' | 'starts'>[]): readonly RelayUpdate[] {
  const byRelay = Map.groupBy(docs, ({ relay }) => relay)
  const updates = [...byRelay.values()].flatMap((own) => {
    const starts = own
      .flatMap(({ starts: some = [] }) => some)
      .toSorted((a, b) => a.at - b.at)
      .filter((one, index, all) => one.at !== all[index - 1]?.at)
    return starts.flatMap(({ at, version }, index) => {
      const before = starts[index - 1]?.version
      return before === undefined || before === version ? [] : [{ at, version, before }]
    })
  })
  return updates
    .toSorted((a, b) => a.at - b.at)
    .filter(({ at, version }, index, all) => {
      const earlier = all[index - 1]
      return !(earlier && earlier.version === version && at - earlier.at < togetherMs)
    })
}

/** A roll-out goes from relay to relay, each of which drains first. */
const togetherMs = 10 * 60_000
