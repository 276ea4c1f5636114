/** How a row of the pool table is tried. */

/** A pool, and two tenants who want it. */
export type FullPool = {
  /** One tenant takes all of it. */
  fill(): Promise<void> | void
  /** Whether that tenant has been turned away, or had to yield. */
  isFull(): Promise<boolean> | boolean
  /** The same tenant asks for more. */
  again(): Promise<void> | void
  /** The other tenant gets what it asks for. Rejects when it does not. */
  serve(): Promise<void> | void
  close(): Promise<void> | void
}

export type PoolCase = { open(): Promise<FullPool> }
