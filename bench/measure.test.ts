import { expect, test } from 'vitest'
import { warmUp } from './measure.ts'
import type { Job } from './scenarios.ts'
import { variantOf } from './variants.ts'

/** Runs jobs that take `jobMs` of their own clock. */
async function warmedUp(job: Job, ms: number, jobMs: number): Promise<readonly Job[]> {
  let nowMs = 0
  const done: Job[] = []
  const run = async (one: Job) => {
    done.push(one)
    nowMs += 'ms' in one ? one.ms : jobMs
  }
  await warmUp(job, ms, run, () => nowMs)
  return done
}

test('bench: a warm-up repeats its job until its time is over, and no longer than the rest', async () => {
  const pings: Job = { kind: 'pings', bytes: 64, ms: 400 }
  const done = await warmedUp(pings, 1_000, 0)
  expect(done.map((job) => 'ms' in job && job.ms)).toEqual([400, 400, 200])
  const bulk: Job = { kind: 'bulk', direction: 'down', visitors: 1, bytes: 1_000 }
  expect(await warmedUp(bulk, 1_000, 300)).toHaveLength(4)
  expect(await warmedUp(bulk, 0, 300)).toEqual([])
})

test('bench: a variant has a name, and options for Node or variables, whose values may have equals signs', () => {
  expect(variantOf('pool 1 = --v8-pool-size=1 --expose-gc')).toEqual({
    name: 'pool 1',
    env: { NODE_OPTIONS: '--v8-pool-size=1 --expose-gc' },
  })
  expect(variantOf('2 relays=PORTTUNNELER_RELAYS=2 A=b=c --expose-gc')).toEqual({
    name: '2 relays',
    env: { PORTTUNNELER_RELAYS: '2', A: 'b=c', NODE_OPTIONS: '--expose-gc' },
  })
  for (const text of ['--v8-pool-size', '=x', 'name=']) expect(() => variantOf(text)).toThrow('a variant is')
})
