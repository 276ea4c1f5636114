/** One agent's part of a lease. */
export type HolderDoc = {
  readonly since: number
  /** Its own tickets end by then, and so does its part unless it is renewed. */
  readonly expiresAt: number
  /** Relay instance -> when it went away there. */
  readonly away: { readonly [instance: string]: number }
  /** The key, or the person, that claimed it; undefined in older documents until the next renewal. */
  readonly key?: string
  /** From where it claimed, and what its program calls itself; older documents have none until their next claim. */
  readonly seen?: { readonly from: string; readonly program: string }
  /** Its upstream is out of reach, as the agent has reported (upstream-reports.ts); absent: it works. */
  readonly upstream?: { readonly code: string; readonly since: number }
}
