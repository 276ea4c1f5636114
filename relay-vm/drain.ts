/**
 * Leaves in good order: hands agents over if a successor is there, admits nobody new, lets the last visitors in, tells
 * the agents, gives running streams their grace, resets the rest with a code, and reports the last usage. The steps are
 * the relay's; the order and the deadlines are here.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'

export type DrainSteps = {
  /** Resolves when no agent has its visitors here any more, or at the abort. undefined: this relay has no successor. */
  handOver?(signal: AbortSignal): Promise<void>
  /** Leaves the balancer and takes no new visitors. */
  announce(): void
  /** Resolves soon: visitors who came at the last moment have got their stream. */
  settle(signal: AbortSignal): Promise<void>
  /** Sends GOAWAY: from here on no stream can be opened. */
  dismiss(graceMs: number): void
  /** Resolves when the last stream ended, or at the abort. */
  idle(signal: AbortSignal): Promise<void>
  /** Resets the remaining streams. @returns how many */
  cut(): number
  /** Reports and writes down what was counted. */
  report(): Promise<void>
}

/** Five thousand agents take a minute to come to a successor; an agent that has not come by then is out of reach. */
const handOverMsMax = 90_000

type DrainOptions = {
  readonly clock: Clock
  readonly graceMs: number
  readonly log: Log
  /** Ends the waiting early. */
  readonly signal?: AbortSignal
}

/** @returns how many streams had to be cut */
export async function drain(steps: DrainSteps, options: DrainOptions): Promise<number> {
  const { graceMs, log } = options
  if (steps.handOver) await within(handOverMsMax, steps.handOver, options)
  log.info({ graceMs }, 'Draining: no new visitors')
  steps.announce()
  await within(graceMs, (until) => letFinish(steps, graceMs, until), options)
  const cut = steps.cut()
  if (cut > 0) log.warn({ cut }, 'Streams outlived the grace period and were reset')
  await steps.report()
  return cut
}

async function letFinish(steps: DrainSteps, graceMs: number, until: AbortSignal): Promise<void> {
  await steps.settle(until)
  steps.dismiss(graceMs)
  await steps.idle(until)
}

async function within(
  ms: number,
  step: (until: AbortSignal) => Promise<void>,
  { clock, signal }: DrainOptions,
): Promise<void> {
  const over = new AbortController()
  const timer = clock.after(ms, () => over.abort())
  await step(signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]))
  timer.clear()
}
