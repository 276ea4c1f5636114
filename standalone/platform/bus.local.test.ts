import { isFailure } from '@porttunneler/shared/base/errors'
import type { Doc } from '@porttunneler/shared/control/platform'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expect, test, vi } from 'vitest'
import { deliveriesMax, openLocalBus } from './bus.local.ts'

function setUp(queueMax?: number) {
  const clock = new FakeClock()
  const errors: unknown[] = []
  const bus = openLocalBus({
    clock,
    random: () => 0,
    onBackgroundError: (_task, error) => errors.push(error),
    ...(queueMax !== undefined && { queueMax }),
  })
  return { bus, clock, errors, settle: () => clock.advanceAsync(30_000, 500) }
}

test('bus: a message that always fails is dropped after five deliveries, and the next comes', async () => {
  const { bus, errors, settle } = setUp()
  const seen: unknown[] = []
  await bus.subscribe('t', 'a', ({ n }) => {
    seen.push(n)
    if (n === 1) throw new Error('never')
  })
  await bus.publish('t', { n: 1 })
  await bus.publish('t', { n: 2 })
  await settle()
  expect(seen).toEqual([...Array.from({ length: deliveriesMax }, () => 1), 2])
  expect(errors).toHaveLength(1)
})

test('bus: the queue of a subscriber that hangs is bounded, keeps the newest and reports what it drops', async () => {
  const { bus, errors, settle } = setUp(3)
  const seen: unknown[] = []
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  await bus.subscribe('t', 'hangs', async ({ n }) => {
    seen.push(n)
    await released
  })
  await bus.publish('t', { n: 0 })
  await settle()
  for (let n = 1; n <= 5; n++) await bus.publish('t', { n })
  expect(errors.map((error) => isFailure(error, 'bus.full'))).toEqual([true, true])
  release()
  await settle()
  expect(seen).toEqual([0, 3, 4, 5])
})

test('bus: a leaving subscriber’s unfinished messages go to the one that shares its key', async () => {
  const { bus, settle } = setUp()
  const stays = vi.fn((_message: Doc) => {})
  const leaves = await bus.subscribe('t', 'same', () => {
    throw new Error('leaving')
  })
  await bus.publish('t', { n: 1 })
  await new Promise((resolve) => setImmediate(resolve))
  await bus.subscribe('t', 'same', stays)
  await leaves.close()
  await settle()
  expect(stays.mock.calls).toEqual([[{ n: 1 }]])
})

test('bus: closing a subscription twice does not affect a later one with its key', async () => {
  const { bus, settle } = setUp()
  const later = vi.fn((_message: Doc) => {})
  const first = await bus.subscribe('t', 'a', () => {})
  await first.close()
  await bus.subscribe('t', 'a', later)
  await first.close()
  await bus.publish('t', { n: 1 })
  await settle()
  expect(later).toHaveBeenCalledTimes(1)
})

test('bus: after close nothing is accepted, delivered or left running', async () => {
  const { bus, clock, settle } = setUp()
  const seen = vi.fn(() => {
    throw new Error('again')
  })
  await bus.subscribe('t', 'a', seen)
  await bus.publish('t', { n: 1 })
  await new Promise((resolve) => setImmediate(resolve))
  await bus.close()
  await settle()
  expect(seen).toHaveBeenCalledTimes(1)
  expect(clock.pending).toBe(0)
  await expect(bus.publish('t', {})).rejects.toMatchObject({ key: 'bus.closed' })
  await expect(bus.subscribe('t', 'b', () => {})).rejects.toMatchObject({ key: 'bus.closed' })
})
