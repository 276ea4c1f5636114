/** How a row of the pool table is tried. */

/** A pool, and two tenants who want it. */
export type FullPool = {
  /** One tenant takes all of it. */
  fill(): Promise<void> | void
  /** Whether that tenant has been turned away, or had to yield. */
  isFull(): Promise<boolean> | boolean
  /** The same tenant asks for more. */
  again(): Promise<void> | void
  /**
   * The other tenant gets what it asks for. Rejects when it does not.
   * @returns the ms that the others wait, where that is not the time until then
   */
  serve(): Promise<void> | Promise<number> | void
  close(): Promise<void> | void
}

export type PoolCase = { open(): Promise<FullPool> }

/**
 * What the others wait while `work` is done in slices.
 * @returns ms of processor time of its longest turn of the event loop
 */
export async function longestTurnMs(work: () => Promise<void>): Promise<number> {
  let longestUs = 0
  let before = process.threadCpuUsage()
  const look = () => {
    const { user, system } = process.threadCpuUsage(before)
    longestUs = Math.max(longestUs, user + system)
    before = process.threadCpuUsage()
  }
  const lookAgain = () => {
    look()
    turn = setImmediate(lookAgain)
  }
  let turn = setImmediate(lookAgain)
  try {
    await work()
  } finally {
    clearImmediate(turn)
  }
  look()
  return longestUs / 1_000
}
