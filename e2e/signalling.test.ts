/** Commands on their way to a real relay by Pub/Sub, on Google's emulator. */
import { randomProject, withEmulators } from '@porttunneler/functions/testing/with-emulators'
import { type Log, silentLog } from '@porttunneler/shared/base/log'
import { makeCommand, publishCommands } from '@porttunneler/shared/control/commands'
import { topics } from '@porttunneler/shared/control/names'
import { takeRelayEvent } from '@porttunneler/shared/control/relay-events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, within } from './harness/events.ts'
import { type Signalling, startSignalling } from './harness/signalling.ts'

/** This many wrong proofs a minute may be an accident. */
const forgeriesMax = 5

withEmulators((hosts) => {
  let s: Signalling
  beforeAll(async () => {
    s = await startSignalling({ pubsub: hosts.pubsub, project: randomProject() })
  })
  afterAll(() => s?.close())

  const said = (text: string, from = 0) =>
    s.relay.lines.waitFor((line) => line.text.includes(text), { what: text, from })

  test('signalling: a deleted tunnel refuses its visitors at once, long before the next sync', async () => {
    const tunnels = await s.open(['a', 'b', 'c', 'd', 'e'])
    for (const tunnel of tunnels) expect(await s.visit(tunnel)).toBe(200)
    for (const tunnel of tunnels) expect(await s.timeDelete(tunnel)).toBeLessThan(10_000)
  })

  test('signalling: repeated and out of order, commands end what they name, once, and nothing newer', async () => {
    const [tunnel] = await s.open(['again'])
    if (!tunnel) throw new Error('no tunnel')
    const { endpoint } = await s.client.tunnel(tunnel.id)
    const nowMs = Date.now()
    const old = { kind: 'revoke', endpoint: `host:${endpoint?.host}`, epoch: 1, reason: 'released' } as const
    const outgoing = makeCommand('home', old, nowMs)
    await publishCommands(s.control, [outgoing, outgoing, outgoing])
    const keys = makeCommand('home', { kind: 'keys', version: 99 }, nowMs)
    const unknown = { ...keys.command, kind: 'freeze' }
    const broken = { ...keys.command, version: 'new' }
    const from = s.relay.lines.items.length
    await s.control.bus.publish(s.topic, unknown)
    await s.control.bus.publish(s.topic, broken)
    await said('A command of a newer release is ignored', from)
    await said('A message is no command and is put aside', from)
    expect(await s.visit(tunnel)).toBe(200)
    expect(await s.timeDelete(tunnel)).toBeLessThan(10_000)
  })

  test('signalling: a deleted subscription is logged with its code, and works again once it is back', async () => {
    const [tunnel] = await s.open(['deaf'])
    if (!tunnel) throw new Error('no tunnel')
    const from = s.relay.lines.items.length
    const { subscription, clients } = s
    const [{ topic }] = await clients.subscriber.getSubscription({ subscription })
    await clients.subscriber.deleteSubscription({ subscription })
    await said('PT-5221', from)
    expect(await s.visit(tunnel)).toBe(200)
    await clients.subscriber.createSubscription({ name: subscription, topic: topic ?? '' })
    const body = { kind: 'keys', version: 0, mood: 1 }
    // Nothing is logged when a stream opens: a message shows that somebody listens.
    await eventually('commands are heard again', async () => {
      await s.control.bus.publish(s.topic, { ...body, id: 'cmd_1', at: 1 })
      return (
        s.relay.lines.items.slice(from).some(({ text }) => text.includes('heard at once again')) || undefined
      )
    })
    expect(await s.timeDelete(tunnel)).toBeLessThan(10_000)
  })

  test('signalling: an urgent event is at the control plane at once, and known to come from a relay', async () => {
    await s.open(['guarded'])
    const taken = Promise.withResolvers<unknown>()
    const info = (line: object) => taken.resolve(line)
    const log: Log = { ...silentLog, info, child: () => log }
    const control = { ...s.control, log }
    await s.control.bus.subscribe(topics.events, 'test', (message) => takeRelayEvent(control, message))
    for (let n = 0; n <= forgeriesMax; n++) await s.forge()
    expect(await within(taken.promise, 'the event')).toMatchObject({
      event: expect.any(String),
      kind: 'carrier.proof',
    })
  })
})
