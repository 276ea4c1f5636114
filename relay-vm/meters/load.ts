/** How busy this process is, for `sync`. */
import type { SyncRequest } from '@porttunneler/shared/api/schemas/relays'
import type { Clock } from '@porttunneler/shared/base/clock'
import { residentReader } from '@porttunneler/shared/base/memory'

export class LoadMeter {
  readonly #clock: Clock
  readonly #residentBytes = residentReader()
  #cpu = process.cpuUsage()
  #atMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#atMs = clock.monotonic()
  }

  /** `cpu` is the share of one core used since the last call, 0 to about 1 (more threads than one can exceed it). */
  read(now: { readonly sessions: number; readonly streams: number }): SyncRequest['load'] {
    const { user, system } = process.cpuUsage(this.#cpu)
    const elapsedMs = Math.max(1, this.#clock.monotonic() - this.#atMs)
    this.#cpu = process.cpuUsage()
    this.#atMs = this.#clock.monotonic()
    const cpu = Math.round((user + system) / elapsedMs) / 1_000
    return { ...now, cpu, rssBytes: this.#residentBytes() }
  }
}
