/**
 * How busy this process is, for `sync`. It is read once in 30 s and rides on what is reported anyway, so operators see
 * it without a write more.
 */
import { statSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { SyncRequest } from '@porttunneler/shared/api/schemas/relays'
import type { Clock } from '@porttunneler/shared/base/clock'
import { memoryBytes, residentReader } from '@porttunneler/shared/base/memory'
import { readDescriptors } from '../policy/means.ts'

/** Fine enough to see what visitors feel, and 50 wake-ups a second cost nothing that can be measured. */
const resolutionMs = 20

export type LoadNow = {
  readonly sessions: number
  readonly streams: number
  /** Bytes since the process started, both ways; it never goes back. */
  readonly carriedBytes: number
}

export class LoadMeter {
  readonly #clock: Clock
  readonly #residentBytes = residentReader()
  readonly #delays = monitorEventLoopDelay({ resolution: resolutionMs })
  readonly #descriptorsMax = readDescriptors()
  #cpu = process.cpuUsage()
  #carriedBytes = 0
  #atMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#atMs = clock.monotonic()
    this.#delays.enable()
  }

  /**
   * `cpu` is the share of one core used since the last call, 0 to about 1 (more threads than one can exceed it);
   * `loopMs` and `bytesPerSecond` are of the same time.
   */
  read({ sessions, streams, carriedBytes }: LoadNow): SyncRequest['load'] {
    const { user, system } = process.cpuUsage(this.#cpu)
    const elapsedMs = Math.max(1, this.#clock.monotonic() - this.#atMs)
    const cpu = Math.round((user + system) / elapsedMs) / 1_000
    const bytesPerSecond = Math.round(((carriedBytes - this.#carriedBytes) * 1_000) / elapsedMs)
    const loopMs = loopDelayMs(this.#delays)
    this.#cpu = process.cpuUsage()
    this.#atMs = this.#clock.monotonic()
    this.#carriedBytes = carriedBytes
    this.#delays.reset()
    const descriptors = openDescriptors()
    return {
      sessions,
      streams,
      cpu,
      rssBytes: this.#residentBytes(),
      memoryBytes: memoryBytes(),
      bytesPerSecond,
      ...(loopMs !== undefined && { loopMs }),
      ...(descriptors !== undefined && { descriptors }),
      ...(this.#descriptorsMax !== undefined && { descriptorsMax: this.#descriptorsMax }),
    }
  }

  close(): void {
    this.#delays.disable()
  }
}

/** The 99th percentile, less the interval that Node counts as part of each delay. @returns undefined: too early */
function loopDelayMs(delays: ReturnType<typeof monitorEventLoopDelay>): number | undefined {
  if (delays.count === 0) return undefined
  return Math.max(0, Math.round(delays.percentile(99) / 100_000 - resolutionMs * 10) / 10)
}

/**
 * Linux from 6.2 on says in the size of the folder how many there are; counting them would take a list of all.
 * @returns undefined where nobody says
 */
function openDescriptors(): number | undefined {
  try {
    const { size } = statSync('/proc/self/fd')
    return size > 0 ? size : undefined
  } catch {
    // Not Linux, or no descriptor is free to look with.
    return undefined
  }
}
