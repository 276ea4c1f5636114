/** The bus on Google's own emulator: what every bus promises, and what Pub/Sub adds. */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { systemClock, type Timer } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import type { Bus, Doc } from '@porttunneler/shared/control/platform'
import { type BusUnderTest, describeBus } from '@porttunneler/shared/testing/bus.contract'
import { freePort } from '@porttunneler/shared/testing/ports'
import { expect, onTestFinished, test, vi } from 'vitest'
import { randomProject, withEmulators } from '../testing/with-emulators.ts'
import { deliveriesMax, openPubsubBus, type PubsubBusOptions } from './bus.pubsub.ts'
import { openPubsubClients } from './pubsub-clients.ts'
import { deadLetters, subscriptionPath } from './pubsub-names.ts'

const patience = { timeout: 50_000, interval: 50 }
/** After this much silence nothing more is expected; the emulator delivers again after some 150 ms. */
const quietMs = { handled: 300, failed: 3_000 }

withEmulators((hosts) => {
  process.env.PUBSUB_EMULATOR_HOST = hosts.pubsub
  const open = (changes: Partial<PubsubBusOptions> = {}) =>
    openPubsubBus({
      project: randomProject(),
      clock: systemClock,
      random: Math.random,
      provisions: true,
      onBackgroundError: (task, error) => {
        throw new Error(task, { cause: error })
      },
      ...changes,
    })

  describeBus('pubsub', async () => settling(await open()))

  /** A bus that ends with the test, and the errors of its background work. */
  const setUp = async (changes: Partial<PubsubBusOptions> = {}) => {
    const project = changes.project ?? randomProject()
    const troubles: string[] = []
    const onBackgroundError = (_task: string, error: Error) => {
      troubles.push(isFailure(error) ? error.key : error.message)
    }
    const bus = await open({ project, onBackgroundError, ...changes })
    onTestFinished(() => bus.close())
    const clients = await openPubsubClients(project)
    onTestFinished(() => clients.close())
    return { project, bus, clients, troubles }
  }

  test('bus on Pub/Sub: a deleted subscription is reported, made again and used again', async () => {
    const { project, bus, clients, troubles } = await setUp()
    const heard = vi.fn((_message: Doc) => {})
    await bus.subscribe('t', 'a', heard)
    await clients.subscriber.deleteSubscription({ subscription: subscriptionPath(project, 't', 'a') })
    await vi.waitFor(async () => {
      await bus.publish('t', { n: 1 })
      expect(heard).toHaveBeenCalledWith({ n: 1 })
    }, patience)
    expect(troubles).toEqual(['bus.subscription'])
  })

  test('bus on Pub/Sub: a poison message is set aside with its error and blocks nobody', async () => {
    const { project, bus, clients, troubles } = await setUp({ messagesMax: 1 })
    const seen: unknown[] = []
    await bus.subscribe('t', 'a', ({ n }) => {
      seen.push(n)
      if (n === 1) throw new Error('a field is wrong')
    })
    await bus.publish('t', { n: 1 })
    await bus.publish('t', { n: 2 })
    const subscription = subscriptionPath(project, deadLetters.topic, deadLetters.key)
    const [{ receivedMessages }] = await clients.subscriber.pull({ subscription, maxMessages: 10 })
    const [letter] = receivedMessages ?? []
    expect(letter?.message?.attributes).toMatchObject({
      topic: 't',
      key: 'a',
      attempts: `${deliveriesMax}`,
      error: 'a field is wrong',
    })
    expect(String(letter?.message?.data)).toBe('{"n":1}')
    expect(seen.filter((n) => n === 1)).toHaveLength(deliveriesMax)
    expect(seen).toContain(2)
    await vi.waitFor(() => expect(troubles).toEqual(['bus.poison']), patience)
  })

  test('bus on Pub/Sub: handles at most the configured number at a time, and all in the end', async () => {
    const { bus } = await setUp({ messagesMax: 3 })
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const handled = new Set<unknown>()
    let [running, most] = [0, 0]
    await bus.subscribe('t', 'a', async ({ n }) => {
      most = Math.max(most, ++running)
      await released
      running--
      handled.add(n)
    })
    await Promise.all(Array.from({ length: 20 }, (_, n) => bus.publish('t', { n })))
    await vi.waitFor(() => expect(running).toBe(3), patience)
    release()
    await vi.waitFor(() => expect(handled.size).toBe(20), patience)
    expect(most).toBe(3)
  })

  test('bus on Pub/Sub: in an outage callers are told soon, and waiting messages arrive after it', async () => {
    const proxy = await startProxy(hosts.pubsub)
    vi.stubEnv('PUBSUB_EMULATOR_HOST', proxy.host)
    const { project, bus, troubles } = await setUp({ queueMax: 2 })
    vi.unstubAllEnvs()
    // Listens by its own path: the emulator goes on sending for seconds along a path that is cut.
    const listener = await setUp({ project })
    const heard = new Set<unknown>()
    await listener.bus.subscribe('t', 'a', ({ n }) => void heard.add(n))
    await bus.publish('t', { n: 0 })
    await proxy.cut()
    const startMs = systemClock.monotonic()
    for (let n = 1; n <= 3; n++)
      await expect(bus.publish('t', { n })).rejects.toMatchObject({ key: 'bus.unavailable' })
    expect(systemClock.monotonic() - startMs).toBeLessThan(5_000)
    await proxy.mend()
    await vi.waitFor(() => expect(heard).toEqual(new Set([0, 2, 3])), patience)
    expect(troubles).toContain('bus.full')
    await bus.publish('t', { n: 4 })
    await vi.waitFor(() => expect(heard).toContain(4), patience)
  })

  test('bus on Pub/Sub: a closed bus leaves no timer, no connection and no message taken', async () => {
    const project = randomProject()
    const before = resources()
    const bus = await open({ project })
    await bus.subscribe('t', 'a', () => new Promise<void>(() => {}))
    await bus.publish('t', { n: 1 })
    await bus.close()
    await bus.close()
    await expect(bus.publish('t', {})).rejects.toMatchObject({ key: 'bus.closed' })
    await expect(bus.subscribe('t', 'b', () => {})).rejects.toMatchObject({ key: 'bus.closed' })
    await vi.waitFor(() => expect(resources()).toBeLessThanOrEqual(before), patience)
    const heard = vi.fn((_message: Doc) => {})
    const next = await open({ project })
    onTestFinished(() => next.close())
    await next.subscribe('t', 'a', heard)
    await vi.waitFor(() => expect(heard).toHaveBeenCalledWith({ n: 1 }), patience)
  })
})

/** Connections: the runner's own timers come and go, and gRPC's end with its channel. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length
}

/** Sits between a client and the emulator, and fails when told to. */
async function startProxy(target: string) {
  const [host, port] = target.split(':')
  const sockets = new Set<Socket>()
  const server = createServer((inside) => {
    const outside = connect(Number(port), host)
    for (const [socket, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => other.destroy())
      socket.pipe(other)
    }
  })
  const own = await freePort()
  const listen = async () => {
    server.listen(own, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen()
  const cut = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    await closed
  }
  onTestFinished(() => (server.listening ? cut() : undefined))
  return { host: `127.0.0.1:${own}`, cut, mend: listen }
}

/** Settled means that nothing was delivered for a while. */
function settling(bus: Bus): BusUnderTest {
  let quiet: Timer | undefined
  let settled = () => {}
  const wait = (ms: number) => {
    quiet?.clear()
    quiet = systemClock.after(ms, () => {
      quiet = undefined
      settled()
    })
  }
  return {
    bus: {
      publish: (topic, message) => bus.publish(topic, message),
      subscribe: (topic, key, onMessage) =>
        bus.subscribe(topic, key, async (message) => {
          wait(quietMs.failed)
          await onMessage(message)
          wait(quietMs.handled)
        }),
      close: () => bus.close(),
    },
    settle: () =>
      new Promise((resolve) => {
        settled = resolve
        if (quiet === undefined) wait(quietMs.handled)
      }),
  }
}
