import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { MuxLink } from '../testing/mux-link.ts'
import { anyVisitor, Recorder } from '../testing/mux-pair.ts'
import type { Stream } from './stream.ts'

async function linked(): Promise<MuxLink> {
  const link = new MuxLink()
  await link.dial()
  await link.pass(200)
  return link
}

test('keeper: a dedicated carrier that the relay refuses is dialled with growing pauses', async () => {
  const link = await linked()
  const before = link.dials
  // Ends in silence: without a pause the loop would not end.
  Object.defineProperty(link, 'path', { get: () => (link.dials - before < 500 ? 'refused' : 'silent') })
  link.relay?.carriers.pick()?.frames.sendWant(1)
  await link.pass(10_000)
  expect(link.dials - before).toBeGreaterThanOrEqual(4)
  expect(link.dials - before).toBeLessThanOrEqual(10)
  link.agent?.close('session.closed')
})

test('keeper: a path that answers keeps one connection, however often the network changes', async () => {
  const link = await linked()
  for (let n = 0; n < 10; n++) {
    link.agent?.probe()
    await link.pass(5_000)
  }
  await link.pass(limits.spareSharedMs + 5_000)
  expect(link.agent?.carriers.size).toBe(1)
  expect(link.relay?.carriers.size).toBe(1)
  link.agent?.close('session.closed')
})

test('keeper: a leaving relay is not dialled again, and its successor at the address ends no stream', async () => {
  const link = await linked()
  const leaving = link.relay
  leaving?.goAway({ key: 'relay.draining', graceMs: 30_000, redialMs: 0 })
  // From here on another process answers.
  link.relay = undefined
  leaving?.carriers.pick()?.frames.sendWant(1)
  const before = link.dials
  await link.pass(5_000)
  expect(link.dials).toBe(before)
  link.agent?.probe()
  await link.pass(2_000)
  expect(link.dials).toBe(before + 1)
  expect(link.agentClosed).toBeUndefined()
  expect(link.agent?.state).toBe('draining')
  link.agent?.close('session.closed')
})

/** All orders of `items`. */
function ordersOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2) return [items]
  return items.flatMap((first) =>
    ordersOf(items.filter((item) => item !== first)).map((rest) => [first, ...rest]),
  )
}

describe('keeper: while a relay is replaced at its address', () => {
  /** The successor listens; the relay wants a carrier; the agent's network changes; the relay says that it leaves. */
  const events = ['successor', 'want', 'probe', 'told'] as const

  test.each(ordersOf(events))('%s, %s, %s, %s: streams of the old one go on', async (...order) => {
    const offered: Stream[] = []
    const onOpen = (stream: Stream) => {
      offered.push(stream)
      return Object.assign(new Recorder(), { stream })
    }
    const link = new MuxLink({ agent: { onOpen } })
    await link.dial()
    await link.pass(200)
    const old = link.relay
    if (!old) throw new Error('no session')
    const happens = {
      successor: () => (link.relay = undefined),
      want: () => old.carriers.pick()?.frames.sendWant(1),
      probe: () => link.agent?.probe(),
      told: () => old.goAway({ key: 'relay.replaced', graceMs: 30_000, redialMs: 0 }),
    }
    const visitors: Recorder[] = []
    for (const name of order) {
      const heard = new Recorder()
      visitors.push(heard)
      heard.stream = old.open(anyVisitor, heard)
      happens[name]()
      await link.pass(300)
    }
    for (const stream of offered) stream.write(Buffer.from('answer'))
    await link.pass(300)
    expect(link.agentClosed).toBeUndefined()
    expect(visitors.map(({ bytes }) => bytes.toString())).toEqual(order.map(() => 'answer'))
    link.agent?.close('session.closed')
  })

  test('a dial that the kernel gives to the successor is made again, and may reach the old one', async () => {
    const link = await linked()
    const old = link.relay
    link.relay = undefined
    old?.carriers.pick()?.frames.sendWant(1)
    await link.pass(100)
    link.relay = old
    await link.pass(2_000)
    expect([...(old?.carriers ?? [])].map(({ kind }) => kind)).toEqual(['shared', 'dedicated'])
    link.agent?.close('session.closed')
  })
})
