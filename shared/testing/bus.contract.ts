/** What every Bus promises. Only delivery at least once and in any order is guaranteed, so no test asks for more. */
import { describe, expect, test, vi } from 'vitest'
import type { Bus, Doc } from '../control/platform.ts'

export type BusUnderTest = {
  readonly bus: Bus
  /** Waits as long as a redelivery may take. */
  settle(): Promise<void>
}

export function describeBus(name: string, make: () => Promise<BusUnderTest>): void {
  const check = (title: string, run: (under: BusUnderTest) => Promise<void>) =>
    test(title, async () => {
      const under = await make()
      try {
        await run(under)
      } finally {
        await under.bus.close()
      }
    })
  const collector = () => {
    const got: Doc[] = []
    return {
      got,
      numbers: () => new Set(got.map(({ n }) => n)),
      on: (message: Doc) => void got.push(message),
    }
  }

  describe(`bus: ${name}`, () => {
    check('every key of a topic gets every message, other topics none', async ({ bus, settle }) => {
      const [first, second, other] = [collector(), collector(), collector()]
      await bus.subscribe('commands.main', 'a', first.on)
      await bus.subscribe('commands.main', 'b', second.on)
      await bus.subscribe('commands.other', 'a', other.on)
      for (let n = 0; n < 20; n++) await bus.publish('commands.main', { n })
      await settle()
      expect(first.numbers().size).toBe(20)
      expect(second.numbers().size).toBe(20)
      expect(other.got).toEqual([])
    })

    check('subscriptions of one key share the messages', async ({ bus, settle }) => {
      const [first, second] = [collector(), collector()]
      await bus.subscribe('t', 'same', first.on)
      await bus.subscribe('t', 'same', second.on)
      for (let n = 0; n < 20; n++) await bus.publish('t', { n })
      await settle()
      expect(first.numbers().union(second.numbers()).size).toBe(20)
      expect(first.numbers().isDisjointFrom(second.numbers())).toBe(true)
      // Who gets how many is not promised, so there are more until each has had one.
      await vi.waitFor(
        async () => {
          await bus.publish('t', { n: -1 })
          expect(Math.min(first.got.length, second.got.length)).toBeGreaterThan(0)
        },
        { timeout: 15_000, interval: 50 },
      )
    })

    check(
      'a subscriber that fails gets the message again, and hurts nobody else',
      async ({ bus, settle }) => {
        const good = collector()
        const flaky = vi.fn((_message: Doc) => {
          if (flaky.mock.calls.length < 3) throw new Error('not yet')
        })
        await bus.subscribe('t', 'flaky', flaky)
        await bus.subscribe('t', 'good', good.on)
        await bus.publish('t', { n: 1 })
        await settle()
        expect(good.numbers()).toEqual(new Set([1]))
        expect(flaky.mock.calls.length).toBeGreaterThanOrEqual(3)
        expect(flaky.mock.lastCall?.[0]).toEqual({ n: 1 })
      },
    )

    check('publishing needs no subscriber and does not wait for one', async ({ bus }) => {
      await bus.publish('nobody', { n: 1 })
      await bus.subscribe('t', 'slow', () => new Promise<void>(() => {}))
      await bus.publish('t', { n: 1 })
      await bus.publish('t', { n: 2 })
    })

    check('changing a message affects no other subscriber', async ({ bus, settle }) => {
      const good = collector()
      const message = { list: [1] }
      await bus.subscribe('t', 'vandal', (got) => {
        if (Array.isArray(got.list)) got.list.push(2)
      })
      await bus.subscribe('t', 'good', good.on)
      await bus.publish('t', message)
      message.list.push(3)
      await settle()
      expect(good.got[0]).toEqual({ list: [1] })
    })

    check('a closed subscription gets nothing more, its neighbours do', async ({ bus, settle }) => {
      const [gone, stays] = [collector(), collector()]
      const subscription = await bus.subscribe('t', 'a', gone.on)
      await bus.subscribe('t', 'b', stays.on)
      await subscription.close()
      await subscription.close()
      await bus.publish('t', { n: 1 })
      await settle()
      expect(gone.got).toEqual([])
      expect(stays.numbers()).toEqual(new Set([1]))
    })
  })
}
