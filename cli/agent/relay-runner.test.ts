import { fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expect, test } from 'vitest'
import { RelayRunner } from './relay-runner.ts'
import type { AgentSession, AgentSessionEvents } from './relay-runner-options.ts'

const nothing = () => undefined
const livingSession: AgentSession = {
  state: 'open',
  activeStreams: 0,
  rttMs: 1,
  bind: nothing,
  unbind: nothing,
  probe: nothing,
  goAway: nothing,
  close: nothing,
}

test('runner: a relay that is back with another certificate gets a new session, not the old one', async () => {
  const clock = new FakeClock()
  const dialled: (string | undefined)[] = []
  let events: AgentSessionEvents | undefined
  const at = (certificate: string) => ({
    instance: 'one',
    host: '127.0.0.1',
    port: 1,
    sni: 'one.test',
    certificate,
  })
  const runner = new RelayRunner(at('old'), {
    clock,
    random: () => 0.5,
    dial: async (address, options) => {
      const own = options.events
      events = own
      dialled.push(address.certificate)
      return { ...livingSession, close: (key) => own.onClosed(fail(key)) }
    },
    tickets: () => new Map([[1, 'ticket']]),
    onOpen: () => {
      throw new Error('nobody comes')
    },
    onConnected: nothing,
    onBound: nothing,
    onUnbound: nothing,
    onNotice: nothing,
    onLost: nothing,
  })
  runner.start()
  await clock.advanceAsync(1_000)
  runner.readdress(at('new'))
  await clock.advanceAsync(1_000)
  expect(dialled, 'a living session stays').toEqual(['old'])
  runner.readdress(at('old'))
  events?.onDetached?.()
  runner.readdress(at('old'))
  await clock.advanceAsync(1_000)
  expect(dialled, 'it may be the same process').toEqual(['old'])
  runner.readdress(at('new'))
  await clock.advanceAsync(1_000)
  expect(dialled).toEqual(['old', 'new'])
  runner.close('session.closed')
})

test('runner: it tries fast after every restart of a relay, not only the first', async () => {
  const clock = new FakeClock()
  const delays: number[] = []
  let isUp = true
  let events: AgentSessionEvents | undefined
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const runner = new RelayRunner(
    { instance: 'one', host: '127.0.0.1', port: 1, sni: 'one.test' },
    {
      clock,
      random: () => 0.5,
      dial: async (_address, options) => {
        if (!isUp) throw fail('relay.unreachable', undefined, { cause })
        events = options.events
        return livingSession
      },
      tickets: () => new Map([[1, 'ticket']]),
      onOpen: () => {
        throw new Error('nobody comes')
      },
      onConnected: nothing,
      onBound: nothing,
      onUnbound: nothing,
      onNotice: nothing,
      onLost: (_instance, { retryInMs }) => delays.push(retryInMs),
    },
  )
  runner.start()
  await clock.advanceAsync(20_000, 20)
  // Ten deployments, an hour apart; each time nothing listens for a second.
  for (let restart = 0; restart < 10; restart++) {
    isUp = false
    events?.onGoAway('PT-3006', 30_000, 200)
    events?.onClosed(fail('relay.draining'))
    await clock.advanceAsync(1_000, 100)
    isUp = true
    await clock.advanceAsync(3_600_000, 400)
  }
  expect(Math.max(...delays)).toBeLessThanOrEqual(200)
  runner.close('session.closed')
})

test('runner: a leaving relay is told what its successor has, also when it cannot be told at once', async () => {
  const clock = new FakeClock()
  const begun: { events: AgentSessionEvents; unbound: number[] }[] = []
  const told: (readonly [word: string, bind: number])[] = []
  const runner = new RelayRunner(
    { instance: 'one', host: '127.0.0.1', port: 1, sni: 'one.test' },
    {
      clock,
      random: () => 0.5,
      dial: async (_address, { events }) => {
        const unbound: number[] = []
        begun.push({ events, unbound })
        return { ...livingSession, unbind: (bind) => unbound.push(bind) }
      },
      tickets: () => new Map([1, 2].map((bind) => [bind, 'ticket'])),
      onOpen: () => {
        throw new Error('nobody comes')
      },
      onConnected: nothing,
      onBound: (_instance, bind) => told.push(['bound', bind]),
      onUnbound: (_instance, bind) => told.push(['unbound', bind]),
      onNotice: nothing,
      onLost: nothing,
    },
  )
  runner.start()
  await clock.advanceAsync(1_000)
  const [old] = begun
  old?.events.onGoAway('PT-3029', 30_000, 0)
  await clock.advanceAsync(1_000)
  const next = begun[1]
  next?.events.onBound(1, 'tcp:c1:1')
  old?.events.onDetached?.()
  expect(told, 'the successor has the first').toEqual([
    ['bound', 1],
    ['unbound', 2],
  ])
  next?.events.onBound(2, 'tcp:c1:2')
  await clock.advanceAsync(2_000)
  expect(old?.unbound).toEqual([1, 2])
  runner.close('session.closed')
})
