/** When to try again: some fast tries, then doubling up to a cap, with jitter so that a crowd spreads out. */
export type BackoffShape = {
  /** Tries at a fixed short delay before doubling starts: a restart is usually over in half a second. */
  readonly fastTries: number
  readonly fastMs: number
  readonly minMs: number
  readonly maxMs: number
  /** 0..1: the share of the delay that is random. */
  readonly jitter: number
}

/** Redialling a relay (wire protocol, rule 26): 3 x 200 ms, then 1 s to 20 s. */
export const redialBackoff: BackoffShape = {
  fastTries: 3,
  fastMs: 200,
  minMs: 1_000,
  maxMs: 20_000,
  jitter: 0.4,
}

/**
 * For redialling when a machine answers that nothing listens: the relay is restarting. Such an answer costs only one
 * packet, so for five seconds we try often.
 */
export const restartBackoff: BackoffShape = { ...redialBackoff, fastTries: 50, fastMs: 100 }

/** The delay in ms before try `attempt` (0 = the first retry). `random` is uniform in [0, 1). */
export function backoffMs(shape: BackoffShape, attempt: number, random: () => number): number {
  if (attempt < shape.fastTries) return shape.fastMs
  const doublings = Math.min(attempt - shape.fastTries, 30)
  const full = Math.min(shape.maxMs, shape.minMs * 2 ** doublings)
  return full * (1 - shape.jitter * random())
}
