import { systemClock } from '@porttunneler/shared/base/clock'
import { expect, test } from 'vitest'
import { openLocalBus } from '../../standalone/platform/bus.local.ts'
import { lazyBus } from './bus.lazy.ts'

const openLocal = () => openLocalBus({ clock: systemClock, random: Math.random, onBackgroundError: () => {} })

test('the first use opens a bus, once for all users', async () => {
  let opened = 0
  const bus = lazyBus(async () => {
    opened += 1
    return openLocal()
  })
  expect(opened).toBe(0)
  const heard = Promise.withResolvers<unknown>()
  await Promise.all([
    bus.subscribe('t', 'a', heard.resolve),
    bus.publish('other', { n: 0 }),
    bus.publish('other', { n: 1 }),
  ])
  await bus.publish('t', { n: 2 })
  expect(await heard.promise).toEqual({ n: 2 })
  expect(opened).toBe(1)
  await bus.close()
})

test('a failed open is tried again, and an unused bus is closed without being opened', async () => {
  let tries = 0
  const bus = lazyBus(async () => {
    tries += 1
    if (tries === 1) throw new Error('no network')
    return openLocal()
  })
  await bus.close()
  expect(tries).toBe(0)
  await expect(bus.publish('t', { n: 1 })).rejects.toThrow('no network')
  await bus.publish('t', { n: 1 })
  expect(tries).toBe(2)
  await bus.close()
})
