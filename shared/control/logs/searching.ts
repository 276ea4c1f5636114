/**
 * Operators search the log. Each search is in the service's audit log: lines name accounts and addresses of people.
 * Following repeats one search every few seconds, so the same one by the same operator is noted once in ten minutes.
 */
import { fail } from '../../base/errors.ts'
import { withoutSecrets } from '../../base/redacting.ts'
import type { Control } from '../control.ts'
import { type By, recordAct } from '../operator/act.ts'
import { parseLogQuery } from './query.ts'
import type { LogPage } from './role.ts'

/** The same search is noted again after this. */
const againMs = 600_000
/** Searches that are remembered as noted. */
const notedMax = 256

export type LogWish = {
  readonly query: string
  readonly limit: number
  /** `next` of the page before. */
  readonly after?: string | undefined
  /** Nothing that was written before, ms. */
  readonly from?: number | undefined
}

/** @throws logs.off, logs.search, and what the log's home throws */
export async function searchLogs(control: Pick<Control, 'logs' | 'clock'>, wish: LogWish): Promise<LogPage> {
  const { logs, clock } = control
  if (!logs) throw fail('logs.off')
  const query = parseLogQuery(wish.query, clock.now())
  const from = Math.max(query.from ?? 0, wish.from ?? 0)
  const { limit, after } = wish
  return logs.search({ ...query, ...(from > 0 && { from }) }, { limit, after })
}

export async function noteSearch(control: Control, by: By, query: string): Promise<void> {
  // A secret that somebody looked for must not stay here for years.
  const details = { query: withoutSecrets(query) }
  await recordAct(control, by, { action: 'logs.searched', target: 'logs', details })
}

/** For a process that many operators ask. */
export class LogDesk {
  readonly #control: Control
  /** When a search was noted, by operator and query; the oldest first. */
  readonly #noted = new Map<string, number>()

  constructor(control: Control) {
    this.#control = control
  }

  /** @throws logs.off, logs.search, and what the log's home throws */
  async search(by: By, wish: LogWish): Promise<LogPage> {
    const page = await searchLogs(this.#control, wish)
    const key = `${by.actor} ${wish.query}`
    const now = this.#control.clock.monotonic()
    if (now - (this.#noted.get(key) ?? Number.NEGATIVE_INFINITY) < againMs) return page
    // Before anything is shown: a search that cannot be noted finds nothing.
    await noteSearch(this.#control, by, wish.query)
    this.#noted.delete(key)
    this.#noted.set(key, now)
    const [oldest] = this.#noted.keys()
    if (this.#noted.size > notedMax && oldest !== undefined) this.#noted.delete(oldest)
    return page
  }
}
