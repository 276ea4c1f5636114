/** The owner learns in the console that an upstream is out of reach, and that it is back. */

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { codes, fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { freePort } from '@porttunneler/shared/testing/ports'
import { describe, expect, test, vi } from 'vitest'
import { FakeHome, online, setStage, settle, web } from '../testing/agent-stage.ts'
import { newTunnel, type Tunnel } from './tunnels.ts'
import { UpstreamReports } from './upstream-reports.ts'

const refused = codes['upstream.refused'].code

function rig(port = 3000) {
  const clock = new FakeClock()
  const home = new FakeHome(clock)
  const tunnel: Tunnel = newTunnel(1, { ...web, upstream: { host: '127.0.0.1', port } })
  tunnel.lease = home.lease('web', 'http')
  tunnel.bound.add('one')
  const events: string[] = []
  const emit = ({ event }: { event: string }) => void events.push(event)
  const reports = new UpstreamReports({ api: home, agent: 'agt_1', clock, emit, tunnels: [tunnel] })
  reports.start()
  return { clock, home, tunnel, events, reports }
}

const said = (home: FakeHome) => home.reports.flatMap(({ upstreams }) => upstreams.map(({ code }) => code))

describe('reports of upstreams', () => {
  test('tell a failure within a second, and its end, each once', async () => {
    const { clock, home, tunnel, reports } = rig()
    await clock.advanceAsync(5_000, 1_000)
    expect(home.reports, 'nothing to say').toEqual([])
    tunnel.upstreamFailure = fail('upstream.refused')
    await clock.advanceAsync(3_000, 1_000)
    expect(home.reports).toEqual([
      { agent: 'agt_1', upstreams: [{ tunnel: 'tun_web', epoch: 1, code: refused }] },
    ])
    tunnel.upstreamFailure = undefined
    await clock.advanceAsync(3_000, 1_000)
    expect(said(home)).toEqual([refused, undefined])
    reports.close()
  })

  test('tell a failed health check before a failed visitor', async () => {
    const { clock, home, tunnel, reports } = rig()
    tunnel.upstreamFailure = fail('upstream.refused')
    tunnel.health = { state: 'unhealthy', failure: fail('upstream.unhealthy') }
    await clock.advanceAsync(1_000, 1_000)
    expect(said(home)).toEqual([codes['upstream.unhealthy'].code])
    reports.close()
  })

  test('an upstream that comes and goes all the time costs a call a minute', async () => {
    const { clock, home, tunnel, reports } = rig()
    for (let second = 0; second < 1_200; second++) {
      tunnel.upstreamFailure = second % 2 === 0 ? fail('upstream.untrusted') : undefined
      await clock.advanceAsync(1_000, 1_000)
    }
    expect(home.reports.length).toBeGreaterThan(20)
    expect(home.reports.length).toBeLessThanOrEqual(26)
    reports.close()
  })

  test('a call that fails is made again later', async () => {
    const { clock, home, tunnel, reports } = rig()
    home.failure = 'server.unreachable'
    tunnel.upstreamFailure = fail('upstream.untrusted')
    await clock.advanceAsync(2_000, 1_000)
    home.failure = undefined
    await clock.advanceAsync(120_000, 1_000)
    expect(said(home).length).toBeLessThan(8)
    expect(said(home).at(-1)).toBe(codes['upstream.untrusted'].code)
    const { length } = home.reports
    await clock.advanceAsync(120_000, 1_000)
    expect(home.reports, 'told').toHaveLength(length)
    reports.close()
  })

  test('an older server that does not know the call is not asked again', async () => {
    const { clock, home, tunnel, reports } = rig()
    home.failure = 'api.not_found'
    tunnel.upstreamFailure = fail('upstream.untrusted')
    await clock.advanceAsync(300_000, 1_000)
    expect(home.reports).toHaveLength(1)
    reports.close()
  })

  test('a lease that was given anew is told again', async () => {
    const { clock, home, tunnel, reports } = rig()
    tunnel.upstreamFailure = fail('upstream.untrusted')
    await clock.advanceAsync(2_000, 1_000)
    reports.forget(tunnel)
    await clock.advanceAsync(2_000, 1_000)
    expect(home.reports).toHaveLength(2)
    reports.close()
  })

  test('without a health check the agent itself finds that the upstream is back', async () => {
    const server = createServer((socket) => socket.destroy())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { clock, home, tunnel, events, reports } = rig(port)
    tunnel.upstreamFailure = fail('upstream.refused')
    await clock.advanceAsync(2_000, 1_000)
    expect(said(home)).toEqual([refused])
    await clock.advanceAsync(5_000, 1_000)
    await vi.waitFor(() => expect(tunnel.upstreamFailure).toBeUndefined(), { timeout: 10_000 })
    expect(events).toEqual(['upstream.recovered'])
    await clock.advanceAsync(2_000, 1_000)
    expect(said(home)).toEqual([refused, undefined])
    reports.close()
    server.close()
  })
})

test('the agent reports what its health check finds', async () => {
  const port = await freePort()
  const health = { kind: 'tcp', everyMs: 1_000 } as const
  const stage = setStage({ wanted: [{ ...web, upstream: { host: '127.0.0.1', port }, health }] })
  await online(stage)
  await vi.waitFor(
    async () => {
      await stage.clock.advanceAsync(1_000, 500)
      expect(said(stage.home)).toEqual([refused])
    },
    { timeout: 20_000 },
  )
  stage.supervisor.end(0)
  await settle()
})
