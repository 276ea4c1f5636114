import { expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { MuxLink } from '../testing/mux-link.ts'

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
