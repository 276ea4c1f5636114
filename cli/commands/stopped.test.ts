import { codes, fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expect, test } from 'vitest'
import { problemOf } from '../agent/events.ts'
import type { Context } from '../context.ts'
import { afterStop } from './stopped.ts'

function endOf(key: 'agent.stopped' | 'lease.lost', wish?: string) {
  const clock = new FakeClock()
  const said: string[] = []
  const stderr = { write: (text: string) => said.push(text) }
  const env = wish === undefined ? {} : { PTUN_WHEN_STOPPED: wish }
  const context: Context = {
    env,
    stdout: stderr,
    stderr,
    clock,
    random: () => 0,
    isJson: false,
    isVerbose: false,
  }
  const tunnel = {
    bind: 1,
    name: 'web',
    kind: 'http',
    state: 'stopped',
    problem: problemOf(fail(key)),
  } as const
  const tunnels = [tunnel] as unknown as Parameters<typeof afterStop>[1]['tunnels']
  return { clock, said, exit: afterStop(context, { tunnels }, codes[key].exit) }
}

test('stopped: an agent that was stopped from afar ends with its code', async () => {
  expect(await endOf('agent.stopped').exit).toBe(5)
  expect(await endOf('agent.stopped', 'exit').exit).toBe(5)
})

test('stopped: on wish it stays and serves nothing until a signal; another end is none', async () => {
  expect(await endOf('lease.lost', 'wait').exit).toBe(5)
  const { clock, said, exit } = endOf('agent.stopped', 'wait')
  clock.advance(10 * 3_600_000)
  expect(clock.pending, 'something keeps the process').toBe(1)
  expect(said.join('')).toContain('waits here')
  process.emit('SIGHUP')
  expect(await exit).toBe(0)
  expect(clock.pending).toBe(0)
})
