import { limits } from '@porttunneler/shared/protocol/limits'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { BindingQueue } from './binding-queue.ts'

/** Each answer takes one turn of the loop. `tokens` is how many checks are granted. */
function make(share = { tokens: Number.POSITIVE_INFINITY }) {
  const clock = new FakeClock()
  const answered: (readonly [number, string | undefined])[] = []
  const queue = new BindingQueue({
    clock,
    mayCheck: () => share.tokens-- > 0,
    answer: (...word) => void answered.push(word),
  })
  return { clock, queue, answered }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('an agent’s BIND and UNBIND', () => {
  test('are answered in order, and UNBIND needs no share', async () => {
    const { queue, answered } = make({ tokens: 2 })
    queue.add(1, 'a')
    queue.add(2, 'b')
    queue.add(1, undefined)
    await turn()
    expect(answered).toEqual([
      [1, 'a'],
      [2, 'b'],
      [1, undefined],
    ])
  })

  test('an agent of 0.1 that sends a thousand BINDs each second is answered later and keeps its session', async () => {
    const share = { tokens: 0 }
    const { clock, queue, answered } = make(share)
    for (let second = 0; second < 120; second++) {
      for (let bind = 1; bind <= limits.bindsPerSession; bind++) queue.add(bind, `ticket ${second}`)
      share.tokens = 100
      clock.advance(1_000)
      await turn()
    }
    share.tokens = Number.POSITIVE_INFINITY
    clock.advance(100)
    await turn()
    const last = new Map(answered)
    expect(last.size).toBe(limits.bindsPerSession)
    expect([...last.values()].filter((word) => word === 'ticket 119').length).toBeGreaterThan(800)
  })

  test('more bindings at once than an agent may have are a flood', () => {
    const { queue } = make({ tokens: 0 })
    const add = () => {
      for (let bind = 1; bind <= 2 * limits.bindsPerSession + 1; bind++) queue.add(bind, 'ticket')
    }
    expect(add).toThrow(expect.objectContaining({ key: 'control.flood' }))
  })

  test('the queue is forgotten when the session ends', async () => {
    const share = { tokens: 0 }
    const { clock, queue, answered } = make(share)
    queue.add(1, 'ticket')
    queue.close()
    share.tokens = 1
    clock.advance(100)
    await turn()
    expect(answered).toEqual([])
  })
})
