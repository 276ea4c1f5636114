/**
 * Writes to disk what a relay must remember: state, usage, events, places. A full or failing disk never stops it: what
 * cannot be written stays in memory and is still reported by `sync`, and the operator is told by log, metric and event.
 */
import { codes } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import type { Certificates } from './certificates.ts'
import type { UsageJournal } from './meters/usage.ts'
import type { Places } from './places.ts'
import type { SecurityEvents } from './security-events.ts'
import type { RelayState } from './state.ts'

export type KeeperOptions = {
  readonly state: RelayState
  readonly journal: UsageJournal
  readonly events: SecurityEvents
  readonly certificates?: Pick<Certificates, 'save'>
  readonly places: Places
  readonly log: Log
}

export class Keeper {
  readonly #options: KeeperOptions
  /** Failed tries since the start. */
  failures = 0
  /** The last try failed. */
  isFailing = false

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Resolves when all was written or could not be; never rejects. */
  async save(): Promise<void> {
    const { state, journal, events, places, certificates, log } = this.#options
    const files = [state, journal, events, places, ...(certificates ? [certificates] : [])]
    const outcomes = await Promise.allSettled(files.map((file) => file.save()))
    const causes = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    const { code, title, cure } = codes['relay.disk']
    for (const error of causes) log.error({ code, cure, error }, title)
    const wasFailing = this.isFailing
    this.isFailing = causes.length > 0
    if (this.isFailing) this.failures += 1
    if (this.isFailing && !wasFailing) events.add('relay.disk', { code })
    if (wasFailing && !this.isFailing) log.info({ failures: this.failures }, 'The disk takes writes again')
  }
}
