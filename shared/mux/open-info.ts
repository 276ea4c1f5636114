/** Who the visitor is and which binding it came to; sent in OPEN. */
export type OpenInfo = {
  readonly bind: number
  readonly visitorAddress: string
  readonly visitorPort: number
  /** The port the visitor dialled. */
  readonly localPort: number
  /** Wall time at the relay, ms. */
  readonly atMs: number
  /** The first request asks for an Upgrade: the agent owes `upgraded` or `plain`. */
  readonly awaitsUpgrade: boolean
}
