/**
 * A process whose agent was stopped from afar (PT-2900) ends with exit code 5, on which systemd does
 * not start it again. Docker and launchd start whatever ends, so there PTUN_WHEN_STOPPED=wait lets it stay and do
 * nothing until they are told to start it again.
 */
import process from 'node:process'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { codes } from '@porttunneler/shared/base/errors'
import type { AgentSnapshot } from '../agent/events.ts'
import { type Context, warn } from '../context.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Listening to signals does not keep a process; a timer does. */
const awakeMs = 3_600_000

/** @returns the exit code: 0 after a wait, which a signal has ended */
export async function afterStop(
  context: Context,
  { tunnels }: Pick<AgentSnapshot, 'tunnels'>,
  exit: number,
): Promise<number> {
  const wasStopped = tunnels.some(({ problem }) => problem?.code === codes['agent.stopped'].code)
  if (!wasStopped || context.env.PTUN_WHEN_STOPPED !== 'wait') return exit
  warn(context, 'It serves nothing, and waits here until it is started again (PTUN_WHEN_STOPPED).')
  await untilSignal(context.clock)
  return 0
}

function untilSignal(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    let timer: Timer
    const stay = () => {
      timer = clock.after(awakeMs, stay)
    }
    const end = () => {
      timer.clear()
      for (const signal of signals) process.off(signal, end)
      resolve()
    }
    stay()
    for (const signal of signals) process.on(signal, end)
  })
}
