/** Things worth an operator's or an account's eye, kept until `sync` delivers them. Bounded: the newest are dropped. */
import type { SyncRequest } from '@porttunneler/shared/api/schemas/relays'
import type { ServerTime } from './server-time.ts'

type SecurityEvent = SyncRequest['events'][number]

/** What `sync` takes at a time. */
const eventsMax = 1_000

export class SecurityEvents {
  readonly #time: ServerTime
  #waiting: SecurityEvent[] = []

  constructor(time: ServerTime) {
    this.#time = time
  }

  add(kind: string, fields: SecurityEvent['fields']): void {
    if (this.#waiting.length < eventsMax) this.#waiting.push({ at: this.#time.now(), kind, fields })
  }

  /** Hands over all that wait. */
  take(): readonly SecurityEvent[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  /** They were not delivered. */
  putBack(events: readonly SecurityEvent[]): void {
    this.#waiting = [...events, ...this.#waiting].slice(0, eventsMax)
  }
}
