/**
 * How long answers took, as counts by bucket: those of several relays and minutes add up, and the percentiles of the
 * sum come out right. Averages of percentiles do not, so nobody keeps percentiles. Used by relays, the API and the
 * console.
 */

/** Half an octave each: a percentile is off by a fifth at most, at any scale. */
const bucketsPerOctave = 2
/** Upper bounds of the buckets in ms, inclusive: 1, 1.4, 2, 2.8 to 32,768. The last bucket has everything slower. */
export const timeBoundsMs: readonly number[] = Array.from(
  { length: 31 },
  (_, n) => 2 ** (n / bucketsPerOctave),
)
export const timeBuckets = timeBoundsMs.length + 1

export function timeBucketOf(ms: number): number {
  if (ms <= 1) return 0
  return Math.min(timeBuckets - 1, Math.ceil(Math.log2(ms) * bucketsPerOctave - 1e-9))
}

/**
 * The time in ms within which the share `q` (0 to 1) of the answers came. Inside a bucket they are taken as spread
 * evenly over its logarithm. undefined: there were no answers.
 * @param counts by bucket; missing ones at the end are 0
 */
export function timeWithin(counts: readonly number[], q: number): number | undefined {
  const all = counts.reduce((sum, count) => sum + count, 0)
  if (all === 0) return undefined
  let below = 0
  for (const [at, count] of counts.entries()) {
    if (count > 0 && below + count >= q * all) {
      const share = Math.max(0, q * all - below) / count
      // The last one has no end: it is shown as its beginning.
      const to = timeBoundsMs[Math.min(at, timeBoundsMs.length - 1)] ?? 1
      return at === timeBoundsMs.length ? to : to * 2 ** ((share - 1) / bucketsPerOctave)
    }
    below += count
  }
  return timeBoundsMs.at(-1)
}
