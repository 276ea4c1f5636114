/**
 * Leaving in good order: nobody new, the last ones let in, agents told, running streams given their grace, what
 * remains reset with a code, the last usage reported. The steps are the relay's; the order and the deadlines are here.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'

export type DrainSteps = {
  /** Off the balancer, no new visitors. */
  announce(): void
  /** Resolves soon: those who came at the last moment have got their stream. */
  settle(signal: AbortSignal): Promise<void>
  /** GOAWAY: from here on no stream can be opened. */
  dismiss(graceMs: number): void
  /** Resolves when the last stream ended, or at the abort. */
  idle(signal: AbortSignal): Promise<void>
  /** Resets what is left. @returns how many */
  cut(): number
  /** Reports and writes down what was counted. */
  report(): Promise<void>
}

/**
 * @param signal ends the grace early
 * @returns streams that had to be cut
 */
export async function drain(
  steps: DrainSteps,
  { clock, graceMs, log, signal }: { clock: Clock; graceMs: number; log: Log; signal?: AbortSignal },
): Promise<number> {
  log.info({ graceMs }, 'Draining: no new visitors')
  steps.announce()
  const grace = new AbortController()
  const timer = clock.after(graceMs, () => grace.abort())
  const until = signal === undefined ? grace.signal : AbortSignal.any([grace.signal, signal])
  await steps.settle(until)
  steps.dismiss(graceMs)
  await steps.idle(until)
  timer.clear()
  const cut = steps.cut()
  if (cut > 0) log.warn({ cut }, 'Streams outlived the grace period and were reset')
  await steps.report()
  return cut
}
