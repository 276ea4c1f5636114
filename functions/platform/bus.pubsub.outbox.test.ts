import { isFailure } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { type Outbound, Outbox, publishMs } from './bus.pubsub.outbox.ts'

function setUp(changes: { queueMax?: number } = {}) {
  const clock = new FakeClock()
  const calls: string[][] = []
  const troubles: string[] = []
  const service = { isDown: false, hangs: false }
  const outbox = new Outbox({
    clock,
    random: () => 0,
    send: async (_topic: string, messages: readonly Outbound[]) => {
      if (service.hangs) await new Promise<void>((_, reject) => clock.after(publishMs, () => reject(late)))
      if (service.isDown) throw new Error('unavailable')
      calls.push(messages.map(({ text }) => text))
    },
    onBackgroundError: (_task, error) => troubles.push(isFailure(error) ? error.key : error.message),
    ...changes,
  })
  const publish = (text: string, topic = 't') =>
    outbox.publish(topic, { text, attributes: {} }).then(
      () => 'sent',
      (error: unknown) => (isFailure(error) ? error.key : String(error)),
    )
  return { clock, outbox, publish, service, calls, troubles }
}
const late = new Error('deadline')
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('outbox', () => {
  test('messages that come during a call go together with the next', async () => {
    const t = setUp()
    const said = await Promise.all(['1', '2', '3'].map((text) => t.publish(text)))
    expect(said).toEqual(['sent', 'sent', 'sent'])
    expect(t.calls).toEqual([['1'], ['2', '3']])
    expect([t.outbox.size, t.clock.pending]).toEqual([0, 0])
  })

  test('an outage of 60 s: callers are told at once, everything arrives after it, nothing twice', async () => {
    const t = setUp()
    t.service.isDown = true
    for (let n = 0; n < 60; n++) {
      const said = t.publish(`${n}`)
      await t.clock.advanceAsync(1_000, 250)
      expect(await said).toBe('bus.unavailable')
    }
    t.service.isDown = false
    await t.clock.advanceAsync(5_000, 500)
    expect(t.calls.flat()).toEqual(Array.from({ length: 60 }, (_, n) => `${n}`))
    expect(t.troubles).toEqual([])
    expect(await t.publish('after')).toBe('sent')
    expect(t.clock.pending).toBe(0)
  })

  test('a silent service costs the first caller two seconds, the next ones a quarter', async () => {
    const t = setUp()
    t.service.hangs = true
    const first = t.publish('1')
    await t.clock.advanceAsync(publishMs, 500)
    expect(await first).toBe('bus.unavailable')
    const next = t.publish('2')
    await t.clock.advanceAsync(250)
    expect(await next).toBe('bus.unavailable')
    t.outbox.close()
  })

  test('waiting messages are bounded: the oldest is dropped and reported', async () => {
    const t = setUp({ queueMax: 2 })
    t.service.isDown = true
    for (const text of ['1', '2', '3']) await t.publish(text)
    expect([t.outbox.size, t.troubles]).toEqual([2, ['bus.full']])
    t.service.isDown = false
    await t.clock.advanceAsync(5_000, 500)
    expect(t.calls.flat()).toEqual(['2', '3'])
  })

  test('a message that waited for two minutes is dropped: relays have it from sync by then', async () => {
    const t = setUp()
    t.service.isDown = true
    await t.publish('old')
    await t.clock.advanceAsync(130_000, 1_000)
    expect([t.outbox.size, t.troubles, t.clock.pending]).toEqual([0, ['bus.unavailable'], 0])
    t.service.isDown = false
    expect(await t.publish('new')).toBe('sent')
    expect(t.calls).toEqual([['new']])
  })

  test('a failing topic delays no other', async () => {
    const t = setUp()
    t.service.isDown = true
    await t.publish('1', 'bad')
    t.service.isDown = false
    expect(await t.publish('2', 'good')).toBe('sent')
    t.outbox.close()
  })

  test('after close nothing is accepted, kept or left running', async () => {
    const t = setUp()
    t.service.hangs = true
    const waiting = t.publish('1')
    const behind = t.publish('2')
    await turn()
    t.outbox.close()
    expect(await behind).toBe('bus.closed')
    await t.clock.advanceAsync(publishMs, 500)
    expect(await waiting).toMatch(/^bus\./)
    expect(await t.publish('3')).toBe('bus.closed')
    expect(t.clock.pending).toBe(0)
  })
})
