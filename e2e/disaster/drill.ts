/** What a drill is, and what it has to say. */

export type DrillResult = {
  /** What was lost, for the table. */
  readonly lost: string
  /** How old what came back is, in words. */
  readonly rpo: string
  /** From the loss to the next visitor who is served, ms. */
  readonly rtoMs: number
  /** What happened meanwhile, in words. */
  readonly seen: string
}

/** Rejects when something is not as promised. */
export type Drill = () => Promise<DrillResult>

/** Throws unless it is so: a drill is a test too. */
export function check(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`not so: ${what}`)
}
