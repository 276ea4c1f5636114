import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { codes, fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { anyVisitor, muxPair, Recorder } from '@porttunneler/shared/testing/mux-pair'
import { describe, expect, test } from 'vitest'
import {
  online,
  relayOne,
  relayTwo,
  renewInMs,
  setStage,
  settle,
  tunnelOf,
  web,
} from '../testing/agent-stage.ts'
import type { SavedLease } from './tunnels.ts'

describe('supervisor: coming up', () => {
  test('a shared tunnel is requested and reported as shared; another stays as its owner set it', async () => {
    const stage = setStage({
      wanted: [
        { ...web, isPool: true },
        { ...web, name: 'api' },
      ],
    })
    await online(stage)
    expect(stage.home.claims[0]?.tunnels.map(({ agents }) => agents)).toEqual(['many', undefined])
    expect(tunnelOf(stage, 1)?.isShared).toBe(false)
  })

  test('all tunnels are claimed in one call and bound at every relay', async () => {
    const api = { ...web, name: 'api' }
    const stage = setStage({ wanted: [web, api] })
    stage.home.relays = [relayOne, relayTwo]
    stage.supervisor.start()
    await settle()
    expect(stage.home.claims).toHaveLength(1)
    expect(stage.home.claims[0]?.tunnels.map(({ name }) => name)).toEqual(['web', 'api'])
    expect(stage.sessions.map(({ instance }) => instance)).toEqual(['one', 'two'])
    for (const { binds } of stage.sessions)
      expect(binds).toEqual([
        [1, 'ticket-1'],
        [2, 'ticket-2'],
      ])
  })

  test('a tunnel is reported online once, with the first relay that has it', async () => {
    const stage = setStage()
    stage.home.relays = [relayOne, relayTwo]
    stage.supervisor.start()
    await settle()
    expect(tunnelOf(stage)?.state).toBe('connecting')
    for (const session of stage.sessions) session.grant()
    expect(stage.names().filter((name) => name === 'tunnel.online')).toHaveLength(1)
    expect(tunnelOf(stage)).toMatchObject({ state: 'online', url: 'http://web.test', relays: 2 })
  })

  test('it waits for an absent server, and reports it once', async () => {
    const stage = setStage()
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await stage.clock.advanceAsync(60_000, 100)
    expect(stage.home.claims.length).toBeGreaterThan(5)
    expect(stage.names().filter((name) => name === 'server.lost')).toHaveLength(1)
    stage.home.failure = undefined
    await stage.clock.advanceAsync(20_000, 500)
    stage.sessions[0]?.grant()
    expect(stage.names()).toContain('server.found')
    expect(tunnelOf(stage)?.state).toBe('online')
  })

  test('the first tries come after 200 ms each, later ones are at most 20 s apart', async () => {
    const stage = setStage()
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await stage.clock.advanceAsync(650, 50)
    expect(stage.home.claims).toHaveLength(4)
    await stage.clock.advanceAsync(600_000, 1_000)
    const before = stage.home.claims.length
    await stage.clock.advanceAsync(20_000, 1_000)
    expect(stage.home.claims.length - before).toBe(1)
  })

  test('a saved ticket is bound while the server is away', async () => {
    const before = setStage()
    await online(before)
    const saved = before.saved.get(0) as SavedLease
    const stage = setStage({ saved: [saved] })
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await settle()
    expect(stage.sessions[0]?.binds).toEqual([[1, saved.lease.ticket]])
    stage.sessions[0]?.grant()
    expect(tunnelOf(stage)).toMatchObject({ state: 'online', url: saved.lease.endpoint.url })
  })

  test('an expired saved ticket is shown to nobody', async () => {
    const before = setStage()
    await online(before)
    const { lease, relays } = before.saved.get(0) as SavedLease
    const stage = setStage({ saved: [{ lease: { ...lease, ticketExpiresAt: 1 }, relays }] })
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await settle()
    expect(stage.dials).toEqual([])
  })
})

describe('supervisor: staying up', () => {
  test('leases are renewed in one call at the time the server named, and relays see the new ticket', async () => {
    const stage = setStage()
    await online(stage)
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.home.renewals).toEqual([{ agent: 'agt_test', leases: [{ tunnel: 'tun_web', epoch: 1 }] }])
    expect(stage.sessions[0]?.binds.at(-1)).toEqual([1, 'ticket-2'])
    expect(stage.saved.get(0)?.lease.ticket).toBe('ticket-2')
  })

  test('a laptop that slept, or whose clock was set, renews within a second', async () => {
    const stage = setStage()
    await online(stage)
    const hour = 3_600_000
    for (const [index, ms] of [4 * hour, -hour, 8_760 * hour, -8_760 * hour].entries()) {
      stage.clock.jump(ms)
      await stage.clock.advanceAsync(1_000, 250)
      expect(stage.home.renewals).toHaveLength(index + 1)
    }
  })

  test.each([
    ['an hour back', -3_600_000],
    ['a year back', -365 * 86_400_000],
    ['a year on', 365 * 86_400_000],
  ])('a clock set %s delays no renewal, no claim and no try', async (_title, ms) => {
    const stage = setStage({ wanted: [web, { ...web, name: 'api' }] })
    await online(stage)
    stage.clock.jump(ms)
    await stage.clock.advanceAsync(1_000, 250)
    const renewals = stage.home.renewals.length
    await stage.clock.advanceAsync(renewInMs, 10_000)
    expect(stage.home.renewals.length - renewals).toBe(1)
    stage.home.failure = 'server.unreachable'
    await stage.clock.advanceAsync(renewInMs, 10_000)
    stage.clock.jump(ms)
    stage.home.failure = undefined
    await stage.clock.advanceAsync(1_000, 250)
    expect(stage.names().at(-1)).toBe('server.found')
    stage.home.refusals.set('web', 'lease.gone')
    stage.clock.jump(ms)
    await stage.clock.advanceAsync(5_000, 500)
    stage.home.refusals.clear()
    stage.clock.jump(ms)
    await stage.clock.advanceAsync(1_000, 250)
    expect(stage.home.claims.at(-1)?.tunnels.map(({ name }) => name)).toEqual(['web'])
    expect(tunnelOf(stage)?.problem).toBeUndefined()
  })

  test('a lapsed lease is claimed again', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.refusals.set('web', 'lease.gone')
    await stage.clock.advanceAsync(renewInMs, 5_000)
    stage.home.refusals.clear()
    await stage.clock.advanceAsync(60_000, 1_000)
    expect(stage.home.claims.at(-1)?.tunnels[0]?.name).toBe('web')
    expect(tunnelOf(stage)?.problem).toBeUndefined()
  })

  test('a lost relay is dialled for ever, and the tunnel comes back', async () => {
    const stage = setStage()
    await online(stage)
    stage.relayFailure = { key: 'relay.unreachable' }
    stage.sessions[0]?.lose('carrier.lost')
    expect(tunnelOf(stage)?.state).toBe('connecting')
    await stage.clock.advanceAsync(3_600_000, 1_000)
    expect(stage.dials.length).toBeGreaterThan(150)
    stage.relayFailure = undefined
    await stage.clock.advanceAsync(20_000, 1_000)
    stage.sessions[1]?.grant()
    expect(tunnelOf(stage)?.state).toBe('online')
    expect(stage.names().filter((name) => name === 'tunnel.online')).toHaveLength(2)
  })

  test('a retry-after of the relay is obeyed', async () => {
    const stage = setStage()
    stage.relayFailure = { key: 'relay.starting', retryAfterMs: 30_000 }
    stage.supervisor.start()
    await stage.clock.advanceAsync(29_000, 500)
    expect(stage.dials).toHaveLength(1)
    await stage.clock.advanceAsync(2_000, 500)
    expect(stage.dials).toHaveLength(2)
  })

  test('a draining relay keeps its streams while a new session is made beside it', async () => {
    const stage = setStage()
    await online(stage)
    stage.sessions[0]?.events.onGoAway('PT-3020', 60_000, 500)
    await stage.clock.advanceAsync(600, 100)
    expect(stage.sessions).toHaveLength(2)
    expect(stage.sessions[0]?.state).toBe('open')
    stage.sessions[1]?.grant()
    expect(tunnelOf(stage)?.state).toBe('online')
  })

  test('a claim whose answer was lost is repeated with its key, and the next one has another', async () => {
    const { name: _, ...nameless } = web
    const stage = setStage({ wanted: [nameless, { ...web, name: 'api' }] })
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await stage.clock.advanceAsync(5_000, 100)
    stage.home.failure = undefined
    stage.home.refusals.set('api', 'quota.tunnels')
    await stage.clock.advanceAsync(60_000, 500)
    const { claims } = stage.home
    const [first] = claims
    const repeated = claims.filter(({ key }) => key === first?.key)
    expect(repeated.length).toBeGreaterThan(1)
    for (const { tunnels } of repeated) expect(tunnels).toEqual(first?.tunnels)
    const later = claims.slice(repeated.length)
    expect(later.length).toBeGreaterThan(0)
    expect(new Set(later.map(({ key }) => key)).size).toBe(later.length)
  })

  test('an agent whose tunnel yielded to another says so and ends', async () => {
    const stage = setStage()
    await online(stage)
    stage.sessions[0]?.refuse(1, 'quota.displaced')
    expect(tunnelOf(stage)?.state).toBe('stopped')
    expect(stage.events.at(-1)).toMatchObject({ event: 'tunnel.stopped', problem: { code: 'PT-2204' } })
    expect(await stage.supervisor.ended).toBe(1)
  })

  test('a claim of one tunnel does not delay the renewal of another', async () => {
    const stage = setStage({ wanted: [web, { ...web, name: 'api' }] })
    stage.home.refusals.set('api', 'quota.tunnels')
    await online(stage)
    await stage.clock.advanceAsync(renewInMs - 20_000, 1_000)
    stage.home.refusals.clear()
    await stage.clock.advanceAsync(25_000, 500)
    expect(stage.home.renewals.flatMap(({ leases }) => leases.map(({ tunnel }) => tunnel))).toContain(
      'tun_web',
    )
  })

  test('a relay that stays away is reported once for each reason', async () => {
    const stage = setStage()
    stage.relayFailure = { key: 'relay.unreachable' }
    stage.supervisor.start()
    await stage.clock.advanceAsync(120_000, 1_000)
    stage.relayFailure = { key: 'relay.identity' }
    await stage.clock.advanceAsync(120_000, 1_000)
    const lost = stage.events.flatMap((event) => (event.event === 'relay.lost' ? [event.problem.code] : []))
    expect(lost).toEqual(['PT-3024', 'PT-3025'])
  })

  test('a ticket that relays keep refusing is requested at most twice a minute', async () => {
    const stage = setStage()
    stage.supervisor.start()
    await settle()
    for (let seconds = 0; seconds < 600; seconds += 1) {
      const [session] = stage.sessions
      const asked = session?.binds.length ?? 0
      if (asked > 0) session?.refuse(1, 'ticket.invalid')
      await stage.clock.advanceAsync(1_000, 1_000)
    }
    expect(stage.home.claims.length).toBeGreaterThan(10)
    expect(stage.home.claims.length).toBeLessThan(30)
  })

  test('a refused ticket is replaced by a fresh one', async () => {
    const stage = setStage()
    stage.supervisor.start()
    await settle()
    stage.sessions[0]?.refuse(1, 'ticket.invalid')
    await stage.clock.advanceAsync(2_000, 100)
    expect(stage.home.claims).toHaveLength(2)
    expect(stage.sessions[0]?.binds.at(-1)).toEqual([1, 'ticket-2'])
  })
})

describe('supervisor: a session that outlives its connections', () => {
  test('without one its tunnels are connecting; with one again they are online, without a new dial', async () => {
    const stage = setStage({ wanted: [web] })
    await online(stage)
    const [session] = stage.sessions
    session?.events.onDetached()
    expect(stage.supervisor.snapshot()).toMatchObject({
      tunnels: [{ state: 'connecting' }],
      relays: [{ state: 'connecting', problem: { code: 'PT-3021' } }],
    })
    session?.events.onAttached()
    session?.events.onBound(1, 'host:web.test')
    expect(stage.supervisor.snapshot()).toMatchObject({
      tunnels: [{ state: 'online' }],
      relays: [{ state: 'connected' }],
    })
    expect(stage.sessions).toHaveLength(1)
  })

  test('a proxy that blocks the resume is reported as the reason, once, also when the session ends', async () => {
    const stage = setStage({ wanted: [web] })
    await online(stage)
    const [session] = stage.sessions
    const lost = () => stage.events.flatMap((one) => (one.event === 'relay.lost' ? [one.problem.code] : []))
    session?.events.onDetached()
    session?.events.onDialFailed(fail('relay.unreachable'))
    expect(lost(), 'what the loss says already').toEqual(['PT-3021'])
    session?.events.onDialFailed(fail('proxy.refused'))
    session?.events.onDialFailed(fail('proxy.refused'))
    expect(lost()).toEqual(['PT-3021', 'PT-6035'])
    expect(stage.supervisor.snapshot().relays).toMatchObject([{ problem: { code: 'PT-6035' } }])
    session?.events.onClosed(fail('carrier.lost'))
    expect(lost()).toEqual(['PT-3021', 'PT-6035'])
    expect(stage.supervisor.snapshot().relays).toMatchObject([{ problem: { code: 'PT-6035' } }])
  })
})

describe('supervisor: behind a proxy, a connection that is lost', () => {
  async function detached() {
    const stage = setStage({ wanted: [web], proxy: () => 'http://proxy.test:3128' })
    await online(stage)
    const [session] = stage.sessions
    if (!session) throw new Error('no session')
    session.events.onDetached()
    const told = () =>
      stage.events.flatMap((one) =>
        one.event === 'relay.lost' ? [one.problem.code] : one.event === 'relay.connected' ? ['back'] : [],
      )
    expect(told()).toEqual(['back'])
    return { stage, session, told }
  }

  test('is first reported with the proxy’s answer to the next try', async () => {
    const { stage, session, told } = await detached()
    session.events.onDialFailed(fail('relay.unreachable'))
    session.events.onDialFailed(fail('proxy.refused'))
    session.events.onDialFailed(fail('proxy.refused'))
    await stage.clock.advanceAsync(10_000, 1_000)
    expect(told()).toEqual(['back', 'PT-6035'])
    stage.supervisor.end(0)
    await stage.supervisor.ended
    expect(stage.clock.pending).toBe(0)
  })

  test('is reported as lost if the proxy is not why: when it is back, after two seconds, and at the end', async () => {
    for (const [how, then] of [
      ['back', ['PT-3021', 'back']],
      ['late', ['PT-3021']],
      ['ended', ['PT-3021']],
    ] as const) {
      const { stage, session, told } = await detached()
      if (how === 'back') session.events.onAttached()
      if (how === 'late') await stage.clock.advanceAsync(2_000, 1_000)
      if (how === 'ended') session.lose('carrier.lost')
      expect(told(), how).toEqual(['back', ...then])
      stage.supervisor.end(0)
      await stage.supervisor.ended
      expect(stage.clock.pending, how).toBe(0)
    }
  })
})

describe('supervisor: more tunnels than one call takes', () => {
  const many = Array.from({ length: 120 }, (_, index) => ({ ...web, name: `web-${index}` }))

  test('they are claimed and renewed in batches of 50, each once', async () => {
    const stage = setStage({ wanted: many })
    await online(stage)
    expect(stage.home.claims.map(({ tunnels }) => tunnels.length)).toEqual([50, 50, 20])
    expect(new Set(stage.home.claims.flatMap(({ tunnels }) => tunnels.map(({ name }) => name))).size).toBe(
      120,
    )
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.home.renewals.map(({ leases }) => leases.length)).toEqual([50, 50, 20])
  })

  test('a failed batch is renewed again, with the others', async () => {
    const stage = setStage({ wanted: many })
    await online(stage)
    stage.home.failAfter = 1
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    stage.home.failAfter = undefined
    await stage.clock.advanceAsync(60_000, 1_000)
    expect(stage.home.renewals.slice(0, 2).map(({ leases }) => leases.length)).toEqual([50, 50])
    expect(stage.home.renewals.slice(-3).map(({ leases }) => leases.length)).toEqual([50, 50, 20])
  })
})

describe('supervisor: coming to an end', () => {
  test('a superseded tunnel stops with code 5, never claims again and forgets its ticket', async () => {
    const stage = setStage()
    await online(stage)
    stage.sessions[0]?.refuse(1, 'session.superseded')
    expect(await stage.supervisor.ended).toBe(5)
    expect(stage.saved.get(0)).toBeUndefined()
    await stage.clock.advanceAsync(3_600_000, 10_000)
    expect(stage.home.claims).toHaveLength(1)
    expect(stage.clock.pending).toBe(0)
  })

  test('an agent that is stopped from afar ends as a whole with code 5, and gives back what it still has', async () => {
    const stage = setStage({ wanted: [web, { ...web, name: 'api' }] })
    await online(stage)
    stage.sessions[0]?.refuse(1, 'agent.stopped')
    expect(await stage.supervisor.ended).toBe(5)
    expect(stage.home.releases.flatMap(({ leases }) => leases.map(({ tunnel }) => tunnel))).toEqual([
      'tun_api',
    ])
    expect(stage.home.claims).toHaveLength(1)
    expect(stage.clock.pending).toBe(0)
  })

  test('one that was asleep hears of the stop when it claims, and says for how long it has been running', async () => {
    const stage = setStage()
    await online(stage)
    expect(stage.home.claims[0]?.runningMs).toBe(0)
    stage.clock.jump(7_200_000)
    stage.home.refusals.set('web', 'lease.gone')
    await stage.clock.advanceAsync(1_000, 250)
    stage.home.refusals.set('web', 'agent.stopped')
    await stage.clock.advanceAsync(60_000, 1_000)
    expect(await stage.supervisor.ended).toBe(5)
    expect(stage.home.claims.at(-1)?.runningMs).toBeGreaterThanOrEqual(7_200_000)
  })

  test('one that was started since asks the server when its saved ticket is of the stopped one', async () => {
    const before = setStage()
    await online(before)
    const stage = setStage({ saved: [before.saved.get(0) as SavedLease] })
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await settle()
    stage.sessions[0]?.refuse(1, 'agent.stopped')
    stage.home.failure = undefined
    await stage.clock.advanceAsync(60_000, 1_000)
    expect(stage.home.claims.length).toBeGreaterThan(1)
    stage.sessions.at(-1)?.grant()
    expect(tunnelOf(stage)?.state).toBe('online')
  })

  test('a takeover is requested once: a tunnel taken from us later is not taken back', async () => {
    const stage = setStage({ takeover: true })
    await online(stage)
    stage.home.refusals.set('web', 'lease.gone')
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.home.claims.length).toBeGreaterThan(1)
    expect(stage.home.claims.map(({ takeover }) => takeover)).toEqual([
      true,
      ...stage.home.claims.slice(1).map(() => false),
    ])
  })

  test('one stopped tunnel leaves the others alone', async () => {
    const stage = setStage({ wanted: [web, { ...web, name: 'api' }] })
    await online(stage)
    stage.sessions[0]?.refuse(1, 'session.superseded')
    expect(stage.supervisor.snapshot().tunnels.map(({ state }) => state)).toEqual(['stopped', 'online'])
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.home.renewals[0]?.leases.map(({ tunnel }) => tunnel)).toEqual(['tun_api'])
  })

  test('a temporarily refused claim is repeated, a finally refused one ends the agent', async () => {
    const stage = setStage()
    stage.home.refusals.set('web', 'quota.tunnels')
    stage.supervisor.start()
    await stage.clock.advanceAsync(5_000, 500)
    expect(stage.home.claims.length).toBeGreaterThan(1)
    expect(tunnelOf(stage)).toMatchObject({ state: 'waiting', problem: { code: 'PT-2201' } })
    stage.home.refusals.set('web', 'lease.held')
    await stage.clock.advanceAsync(60_000, 1_000)
    expect(await stage.supervisor.ended).toBe(5)
  })

  test('an authorisation failure ends an agent that serves nothing, with code 3', async () => {
    const stage = setStage()
    stage.home.failure = 'login.missing'
    stage.supervisor.start()
    expect(await stage.supervisor.ended).toBe(3)
  })

  test('an authorisation failure does not cut tunnels that are up', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.failure = 'login.missing'
    await stage.clock.advanceAsync(renewInMs + 60_000, 5_000)
    expect(tunnelOf(stage)?.state).toBe('online')
    expect(stage.supervisor.snapshot().serverProblem?.code).toBe('PT-6020')
  })

  test('a version that no relay speaks ends the agent with code 4', async () => {
    const stage = setStage()
    stage.relayFailure = { key: 'hello.version' }
    stage.supervisor.start()
    expect(await stage.supervisor.ended).toBe(4)
  })

  test('draining unbinds, keeps the lease for the next start and leaves no timer behind', async () => {
    const stage = setStage()
    await online(stage)
    stage.supervisor.drain()
    expect(await stage.supervisor.ended).toBe(0)
    await settle()
    expect(stage.sessions[0]).toMatchObject({ unbinds: [1], state: 'closed' })
    expect(stage.saved.get(0)?.lease.name).toBe('web')
    expect(stage.names().slice(-2)).toEqual(['agent.draining', 'agent.stopped'])
    expect(stage.clock.pending).toBe(0)
  })

  test('an ending agent gives back its leases, and its ticket is not shown again', async () => {
    const stage = setStage({ wanted: [web, { ...web, name: 'api' }] })
    await online(stage)
    stage.sessions[0]?.refuse(1, 'session.superseded')
    stage.supervisor.drain()
    expect(await stage.supervisor.ended).toBe(0)
    const { tunnel, epoch, expiresAt } = stage.saved.get(1)?.lease ?? stage.home.lease('api', 'http')
    expect(stage.home.releases, 'not what another one has').toEqual([
      { agent: 'agt_test', leases: [{ tunnel, epoch, expiresAt }] },
    ])
    expect(stage.saved.get(1)?.lease.ticketExpiresAt).toBe(0)
  })

  test('a silent server delays the end by 3 s, and after a second Ctrl-C not at all', async () => {
    for (const isImpatient of [false, true]) {
      const stage = setStage()
      await online(stage)
      stage.home.releasing = new Promise(() => {})
      stage.supervisor.drain()
      await settle()
      expect(stage.names()).not.toContain('agent.stopped')
      if (isImpatient) stage.supervisor.end(130)
      else stage.clock.advance(3_000)
      expect(await stage.supervisor.ended).toBe(0)
      expect(stage.saved.get(0)?.lease.ticketExpiresAt, 'it may have arrived').toBe(0)
      expect(stage.clock.pending).toBe(0)
    }
  })

  test('if the server is away or the key revoked, the ticket is kept for the next start', async () => {
    for (const failure of ['server.unreachable', 'login.missing'] as const) {
      const stage = setStage()
      await online(stage)
      stage.home.failure = failure
      stage.supervisor.drain()
      expect(await stage.supervisor.ended).toBe(0)
      expect(stage.saved.get(0)?.lease.ticketExpiresAt).toBeGreaterThan(stage.clock.now())
    }
  })

  test('a tunnel that another agent may still hold is requested again when the server says, and reported', async () => {
    const stage = setStage({ wanted: [web, { ...web, name: 'api' }] })
    stage.home.refusals.set('web', 'lease.unclear')
    stage.home.retryAfter = 5
    await online(stage)
    expect(tunnelOf(stage, 1)?.state).toBe('online')
    await stage.clock.advanceAsync(10_000, 500)
    expect(stage.home.claims.map(({ waitedMs }) => waitedMs)).toEqual([0, 5_000, 10_000])
    expect(stage.events).toContainEqual(
      expect.objectContaining({ event: 'tunnel.refused', tunnel: 'web', retryInMs: 5_000 }),
    )
    stage.home.refusals.clear()
    await stage.clock.advanceAsync(5_000, 500)
    stage.sessions[0]?.grant()
    expect(tunnelOf(stage)?.state).toBe('online')
    stage.supervisor.end(0)
  })

  test('a tunnel that no relay can open says why, and keeps trying', async () => {
    const stage = setStage()
    await online(stage)
    stage.sessions[0]?.refuse(1, 'relay.bind_port')
    expect(stage.events.at(-1)).toMatchObject({
      event: 'tunnel.refused',
      tunnel: 'web',
      problem: { code: codes['relay.bind_port'].code },
      retryInMs: 1_000,
    })
    expect(tunnelOf(stage)?.problem?.code).toBe(codes['relay.bind_port'].code)
    const claims = stage.home.claims.length
    await stage.clock.advanceAsync(1_000, 500)
    expect(stage.home.claims.length).toBe(claims + 1)
    stage.sessions[0]?.grant()
    expect(tunnelOf(stage)).toMatchObject({ state: 'online' })
    expect(tunnelOf(stage)?.problem).toBeUndefined()
    stage.supervisor.end(0)
  })

  test('draining lets an open connection finish; quitting resets it', async () => {
    const upstream = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {}).resume()
      socket.on('end', () => socket.end('bye'))
    }).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    const { port } = upstream.address() as AddressInfo
    for (const isPatient of [true, false]) {
      const stage = setStage({ wanted: [{ ...web, upstream: { host: '127.0.0.1', port } }] })
      await online(stage)
      const onOpen = stage.sessions[0]?.events.onOpen
      const pair = muxPair({ clock: stage.clock, agent: onOpen ? { onOpen } : {} })
      const visitor = new Recorder()
      const opened = Promise.withResolvers<void>()
      visitor.stream = pair.relay.open(
        anyVisitor,
        Object.assign(visitor, { onOpened: () => opened.resolve() }),
      )
      await opened.promise
      stage.supervisor.drain()
      expect(stage.supervisor.snapshot()).toMatchObject({ state: 'draining', tunnels: [{ active: 1 }] })
      if (isPatient) visitor.stream.end()
      else stage.supervisor.end(130)
      await visitor.until(() => visitor.hasFin || visitor.resetCode !== undefined)
      expect(visitor.bytes.toString()).toBe(isPatient ? 'bye' : '')
      expect(visitor.hasFin).toBe(isPatient)
      expect(await stage.supervisor.ended).toBe(isPatient ? 0 : 130)
    }
    await new Promise((resolve) => upstream.close(resolve))
  })

  test('a connection that does not end delays a drain by at most 10 s', async () => {
    const upstream = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    const { port } = upstream.address() as AddressInfo
    const stage = setStage({ wanted: [{ ...web, upstream: { host: '127.0.0.1', port } }] })
    await online(stage)
    const onOpen = stage.sessions[0]?.events.onOpen
    // The path has its own clock: ten silent seconds would lose it.
    const pair = muxPair({ clock: new FakeClock(), agent: onOpen ? { onOpen } : {} })
    const visitor = new Recorder()
    visitor.stream = pair.relay.open(anyVisitor, visitor)
    while (stage.supervisor.snapshot().tunnels[0]?.active !== 1) await settle()
    stage.supervisor.drain()
    stage.clock.advance(9_999)
    expect(stage.supervisor.snapshot().state).toBe('draining')
    stage.clock.advance(1)
    expect(await stage.supervisor.ended).toBe(0)
    await visitor.until(() => visitor.resetCode !== undefined)
    await new Promise((resolve) => upstream.close(resolve))
  })
})
