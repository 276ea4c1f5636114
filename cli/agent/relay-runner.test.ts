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

test('runner: each restart of a relay is met with fast tries, not only the first ones', async () => {
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
