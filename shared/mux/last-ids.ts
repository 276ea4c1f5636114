/** Relay: a session whose stream ids are nearly used up (rule 1). The agent's next session takes the visitors. */
import type { Clock, Timer } from '../base/clock.ts'
import { limits } from '../protocol/limits.ts'

/** The part of a session that matters for its end. */
type Ending = {
  readonly activeStreams: number
  goAway(options: { key: 'relay.replaced'; graceMs: number; redialMs: number }): void
  close(key: 'relay.replaced'): void
}

export class LastIds {
  #timer: Timer | undefined

  get isSpent(): boolean {
    return this.#timer !== undefined
  }

  /**
   * A stream has this id. Near the last id the agent is asked for its next session, and this session ends when it is
   * idle.
   */
  gave(id: number, session: Ending, clock: Clock): void {
    if (id < limits.streamIdSpent || this.#timer) return
    const tick = () => session.activeStreams === 0 && session.close('relay.replaced')
    this.#timer = clock.every(limits.spentTickMs, tick, { background: true })
    session.goAway({ key: 'relay.replaced', graceMs: limits.leaseMs, redialMs: 0 })
  }

  close(): void {
    this.#timer?.clear()
  }
}
