import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { TicketClaims } from '@porttunneler/shared/protocol/ticket'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { Decrees } from './decrees.ts'
import { Meters } from './meters/meters.ts'
import { Routes } from './routes.ts'
import type { SessionHandle } from './session-handle.ts'
import { claimsOf } from './testing/test-control.ts'

const endpoint = 'host:demo.tunnels.test'
const startMs = Date.UTC(2026, 0, 1)

function makeClaims(changes: Partial<TicketClaims> = {}): TicketClaims {
  const iat = startMs / 1000
  return { iss: 'x', iat, exp: iat + 3_600, ...claimsOf(endpoint), ...changes }
}

type Heard = { readonly bind: number; readonly key: ErrorKey }

/** A session as routes see it. It records what it was told. */
function makeSession(
  id: string,
  state: SessionHandle['state'] = 'open',
): SessionHandle & { readonly heard: Heard[]; readonly reset: number[] } {
  const heard: Heard[] = []
  const reset: number[] = []
  return {
    id,
    state,
    rttMs: 1,
    heard,
    reset,
    resetBind: (bind) => reset.push(bind),
    open() {
      throw new Error('no visitors in these tests')
    },
    unbound: (bind, key) => heard.push({ bind, key }),
  }
}

function setUp() {
  const clock = new FakeClock(startMs)
  const decrees = new Decrees()
  const gone: string[] = []
  const onGone = (route: { endpoint: string }) => gone.push(route.endpoint)
  const presence = { told: 0 }
  const onPresence = () => presence.told++
  const routes = new Routes({ clock, meters: new Meters(), decrees, onGone, onPresence })
  return { clock, decrees, gone, presence, routes }
}

const sessionsOf = (routes: Routes) => routes.find(endpoint)?.members.map(({ session }) => session)

describe('routes: sessions and their endpoints', () => {
  const bindAt = (routes: Routes, name: string, session: SessionHandle, bind = 1, epoch = 1) =>
    routes.bind(makeClaims({ ...claimsOf(`host:${name}.tunnels.test`), sub: `tun_${name}`, epoch }), {
      session,
      bind,
    })
  const served = (routes: Routes) => routes.all().filter(({ members }) => members.length > 0).length

  test('a lost session takes all endpoints that it served with it, and no others', () => {
    const { routes } = setUp()
    const [one, other] = [makeSession('one'), makeSession('other')]
    bindAt(routes, 'a', one)
    bindAt(routes, 'b', one, 2)
    bindAt(routes, 'c', other)
    routes.lost(one)
    expect(served(routes)).toBe(1)
    routes.setDetached(one, true)
    routes.unbind({ session: one, bind: 1 })
    expect(served(routes)).toBe(1)
  })

  test('an endpoint that went to another session stays when the first one is lost', () => {
    const { routes } = setUp()
    const [one, other] = [makeSession('one'), makeSession('other')]
    bindAt(routes, 'a', one)
    bindAt(routes, 'a', other, 1, 2)
    routes.lost(one)
    expect(served(routes)).toBe(1)
    routes.lost(other)
    expect(served(routes)).toBe(0)
  })

  test('the next session of an agent whose ids are spent takes an endpoint over without telling the first', () => {
    const { routes } = setUp()
    const spent = Object.assign(makeSession('spent'), { isSpent: true })
    const next = makeSession('next')
    bindAt(routes, 'a', spent)
    bindAt(routes, 'a', next)
    expect([spent.heard, spent.reset]).toEqual([[], []])
    routes.unbind({ session: spent, bind: 1 })
    expect(routes.all()[0]?.members.map(({ session }) => session)).toEqual([next])
  })

  test('a session with two bindings of one endpoint has it until the second is unbound', () => {
    const { routes } = setUp()
    const session = makeSession('one')
    bindAt(routes, 'a', session, 1)
    bindAt(routes, 'a', session, 2)
    routes.unbind({ session, bind: 1 })
    expect(served(routes)).toBe(1)
    routes.unbind({ session, bind: 2 })
    expect(served(routes)).toBe(0)
  })
})

describe('routes: an agent out of reach', () => {
  test('counts as away after a minute, and as back once it has a connection again', () => {
    const { clock, routes } = setUp()
    const session = makeSession('one')
    routes.bind(makeClaims(), { session, bind: 1 })
    routes.setDetached(session, true)
    clock.advance(61_000)
    const [report] = routes.awayReports()
    expect(report?.away).toBe(true)
    routes.awayReported(routes.awayReports())
    routes.setDetached(session, false)
    expect(routes.awayReports().map(({ away }) => away)).toEqual([false])
  })

  test('loses its visitors when the same agent comes back as a new process; one within reach keeps them', () => {
    const { routes } = setUp()
    const dead = makeSession('dead', 'detached')
    routes.bind(makeClaims(), { session: dead, bind: 1 })
    const living = makeSession('living')
    routes.bind(makeClaims(), { session: living, bind: 2 })
    expect(dead.reset).toEqual([1])
    routes.bind(makeClaims(), { session: makeSession('newest'), bind: 3 })
    expect(living.reset).toEqual([])
  })
})

describe('routes: takeover', () => {
  test('a higher epoch wins and the holder is told once', () => {
    const { routes } = setUp()
    const [a, b] = [makeSession('a'), makeSession('b')]
    routes.bind(makeClaims(), { session: a, bind: 1 })
    routes.bind(makeClaims({ epoch: 101, agent: 'agt_b' }), { session: b, bind: 7 })
    expect(routes.find(endpoint)?.members).toMatchObject([{ session: b, bind: 7 }])
    expect(a.heard).toEqual([{ bind: 1, key: 'session.superseded' }])
    expect(b.heard).toEqual([])
  })

  test.each([
    ['a lower epoch', { epoch: 99 }],
    ['an equal epoch of another agent', { agent: 'agt_b' }],
  ])('%s is refused and changes nothing', (_title, changes) => {
    const { routes } = setUp()
    const [a, b] = [makeSession('a'), makeSession('b')]
    routes.bind(makeClaims(), { session: a, bind: 1 })
    expect(() => routes.bind(makeClaims(changes), { session: b, bind: 1 })).toThrow(
      expect.objectContaining({ key: 'session.superseded' }),
    )
    expect(sessionsOf(routes)).toEqual([a])
  })

  test('a lower epoch is refused while the holder of the higher one is away', () => {
    const { routes } = setUp()
    const a = makeSession('a')
    routes.bind(makeClaims({ epoch: 101 }), { session: a, bind: 1 })
    routes.lost(a)
    expect(() => routes.check(makeClaims({ epoch: 100 }))).toThrow()
  })

  test('the end of a session that lost its endpoint leaves the winner alone', () => {
    const { routes } = setUp()
    const [a, b] = [makeSession('a'), makeSession('b')]
    routes.bind(makeClaims(), { session: a, bind: 1 })
    routes.bind(makeClaims(), { session: b, bind: 1 })
    routes.unbind({ session: a, bind: 1 })
    routes.lost(a)
    expect(sessionsOf(routes)).toEqual([b])
  })

  test('a renewed ticket on the same session replaces the old one without a message', () => {
    const { routes } = setUp()
    const a = makeSession('a')
    routes.bind(makeClaims(), { session: a, bind: 1 })
    routes.bind(makeClaims({ exp: startMs / 1000 + 7_200 }), { session: a, bind: 1 })
    expect(a.heard).toEqual([])
  })
})

describe('routes: away', () => {
  test('is reported at once when an agent took its leave, and when it returns', () => {
    const { presence, routes } = setUp()
    const session = makeSession('a')
    routes.bind(makeClaims(), { session, bind: 1 })
    expect([routes.awayReports(), presence.told]).toEqual([[], 0])
    routes.unbind({ session, bind: 1 })
    expect(presence.told).toBe(1)
    expect(routes.awayReports().map(({ away }) => away)).toEqual([true])
    routes.awayReported(routes.awayReports())
    routes.bind(makeClaims(), { session, bind: 1 })
    expect(presence.told).toBe(2)
    expect(routes.awayReports().map(({ away }) => away)).toEqual([false])
  })

  test('is reported after a minute, once, and withdrawn when the agent returns', () => {
    const { clock, routes } = setUp()
    const a = makeSession('a')
    const claims = makeClaims()
    routes.bind(claims, { session: a, bind: 1 })
    expect(routes.awayReports()).toEqual([])
    routes.lost(a)
    clock.advance(limits.awayMs - 1)
    expect(routes.awayReports()).toEqual([])
    clock.advance(1)
    const { sub: tunnel, account, agent } = claims
    const report = { account, tunnel, endpoint, epoch: 100, agent, away: true }
    expect(routes.awayReports()).toEqual([report])
    expect(routes.awayReports(), 'until it was received').toEqual([report])
    routes.awayReported([report])
    expect(routes.awayReports()).toEqual([])
    routes.bind(claims, { session: makeSession('b'), bind: 1 })
    expect(routes.awayReports()).toEqual([{ ...report, away: false }])
  })

  test('a route is forgotten when its ticket has expired while nobody served it, and not before', () => {
    const { routes, gone } = setUp()
    const a = makeSession('a')
    routes.bind(makeClaims(), { session: a, bind: 1 })
    const end = startMs + limits.ticketMs + limits.skewMs
    routes.expire(end + 1)
    expect(routes.find(endpoint), 'served ones never expire').toBeDefined()
    routes.unbind({ session: a, bind: 1 })
    routes.expire(end)
    expect(sessionsOf(routes)).toEqual([])
    expect(gone).toEqual([])
    routes.expire(end + 1)
    expect(routes.find(endpoint)).toBeUndefined()
    expect(gone).toEqual([endpoint])
  })
})

describe('routes: decrees', () => {
  test('a revoked lease cannot bind again, a newer one can', () => {
    const { routes, decrees } = setUp()
    decrees.revoke({ endpoint, epoch: 101, at: startMs })
    expect(() => routes.check(makeClaims())).toThrow(expect.objectContaining({ key: 'session.revoked' }))
    routes.check(makeClaims({ epoch: 101 }))
  })

  test('a lease that yielded to another gets that reason at BIND, until a restart', () => {
    const { routes, decrees } = setUp()
    decrees.revoke({ endpoint, epoch: 101, at: startMs, key: 'quota.displaced' })
    expect(() => routes.check(makeClaims())).toThrow(expect.objectContaining({ key: 'quota.displaced' }))
    expect(new Decrees(JSON.parse(JSON.stringify(decrees))).refusal(makeClaims())).toBe('session.revoked')
    expect(JSON.stringify(decrees)).not.toContain('displaced')
  })

  test('a policy that is newer than the ticket holds at BIND and later', () => {
    const { routes, decrees } = setUp()
    const { policy } = makeClaims()
    const newer = { policy: { ...policy, deny: ['192.0.2.0/24'] }, policyVersion: 5 }
    decrees.setPolicy({ tunnel: makeClaims().sub, at: startMs, ...newer })
    const route = routes.bind(makeClaims({ policyVersion: 4 }), { session: makeSession('a'), bind: 1 })
    expect(route.ipFilter('192.0.2.9')).toBe(false)
    routes.setPolicy(route.claims.sub, { policy, policyVersion: 4 })
    expect(routes.find(endpoint)?.ipFilter('192.0.2.9')).toBe(false)
    routes.setPolicy(route.claims.sub, { policy, policyVersion: 6 })
    expect(routes.find(endpoint)?.ipFilter('192.0.2.9')).toBe(true)
  })

  test('decrees survive their JSON, keep the highest version, and are forgotten after the last old ticket', () => {
    const decrees = new Decrees()
    expect(decrees.revoke({ endpoint, epoch: 101, at: startMs })).toBe(true)
    expect(decrees.revoke({ endpoint, epoch: 101, at: startMs })).toBe(false)
    expect(decrees.revoke({ endpoint, epoch: 100, at: startMs + 1 })).toBe(false)
    decrees.suspend({ account: 'acc_x', suspended: true, version: 2, at: startMs })
    expect(decrees.suspend({ account: 'acc_x', suspended: false, version: 1, at: startMs })).toBe(false)
    const read = new Decrees(JSON.parse(JSON.stringify(decrees)))
    expect(read.refusal(makeClaims())).toBe('session.revoked')
    expect(read.isSuspended('acc_x')).toBe(true)
    const last = startMs + limits.ticketMs + 2 * limits.skewMs
    read.prune(last)
    expect(read.refusal(makeClaims())).toBe('session.revoked')
    read.prune(last + 1)
    expect(read.refusal(makeClaims())).toBeUndefined()
    expect(read.isSuspended('acc_x')).toBe(false)
  })
})

describe('routes: several agents', () => {
  const shared = (agent: string, changes: Partial<TicketClaims> = {}) =>
    makeClaims({ agent, agents: 'many', ...changes })

  test('agents of one epoch serve side by side, and the newest session of each', () => {
    const { routes } = setUp()
    const [a, b, again] = [makeSession('a'), makeSession('b'), makeSession('again')]
    routes.bind(shared('agt_a'), { session: a, bind: 1 })
    routes.bind(shared('agt_b'), { session: b, bind: 1 })
    expect(sessionsOf(routes)).toEqual([a, b])
    routes.bind(shared('agt_a'), { session: again, bind: 1 })
    expect(sessionsOf(routes)).toEqual([b, again])
    expect([a.heard, b.heard]).toEqual([[{ bind: 1, key: 'session.superseded' }], []])
  })

  test('a ticket from before the tunnel was shared displaces nobody, in any order', () => {
    const { routes } = setUp()
    const [a, b] = [makeSession('a'), makeSession('b')]
    routes.bind(makeClaims({ agent: 'agt_a' }), { session: a, bind: 1 })
    routes.bind(shared('agt_b'), { session: b, bind: 1 })
    routes.bind(makeClaims({ agent: 'agt_a' }), { session: a, bind: 1 })
    expect(sessionsOf(routes)).toEqual([b, a])
    routes.bind(shared('agt_b'), { session: b, bind: 1 })
    expect([sessionsOf(routes), a.heard, b.heard]).toEqual([[a, b], [], []])
  })

  test('an agent that leaves or is lost takes no other with it, and each is away by itself', () => {
    const { routes, clock } = setUp()
    const [a, b] = [makeSession('a'), makeSession('b')]
    routes.bind(shared('agt_a'), { session: a, bind: 1 })
    routes.bind(shared('agt_b'), { session: b, bind: 1 })
    routes.unbind({ session: a, bind: 1 })
    const away = () => routes.awayReports().map(({ agent, away }) => `${agent} ${away}`)
    expect([sessionsOf(routes), away()]).toEqual([[b], ['agt_a true']])
    routes.awayReported(routes.awayReports())
    routes.lost(b)
    expect(routes.serves(endpoint)).toBe(false)
    clock.advance(limits.awayMs)
    expect(away()).toEqual(['agt_b true'])
    routes.bind(shared('agt_a'), { session: a, bind: 1 })
    expect(away().sort()).toEqual(['agt_a false', 'agt_b true'])
  })

  test('at a new epoch the others are told to claim again, not to stop; a late one is told the same', () => {
    const { routes } = setUp()
    const [a, b] = [makeSession('a'), makeSession('b')]
    routes.bind(shared('agt_a'), { session: a, bind: 1 })
    routes.bind(shared('agt_b', { epoch: 101 }), { session: b, bind: 1 })
    expect([sessionsOf(routes), a.heard]).toEqual([[b], [{ bind: 1, key: 'lease.gone' }]])
    expect(() => routes.check(shared('agt_a'))).toThrow(expect.objectContaining({ key: 'lease.gone' }))
  })

  test('an older ticket of one agent does not bring back an older policy', () => {
    const { routes } = setUp()
    const { policy } = makeClaims()
    const strict = { policy: { ...policy, deny: ['192.0.2.0/24'] }, policyVersion: 5 }
    routes.bind(shared('agt_a', strict), { session: makeSession('a'), bind: 1 })
    const route = routes.bind(shared('agt_b'), { session: makeSession('b'), bind: 1 })
    expect([route.policyVersion, route.ipFilter('192.0.2.9')]).toEqual([5, false])
  })

  test('the endpoint is kept until the last ticket of all has expired', () => {
    const { routes, gone } = setUp()
    const [a, b] = [makeSession('a'), makeSession('b')]
    routes.bind(shared('agt_a', { exp: startMs / 1000 + 7_200 }), { session: a, bind: 1 })
    routes.bind(shared('agt_b'), { session: b, bind: 1 })
    routes.lost(a)
    routes.lost(b)
    routes.expire(startMs + limits.ticketMs + limits.skewMs + 1)
    expect(gone).toEqual([])
    routes.expire(startMs + 7_200_000 + limits.skewMs + 1)
    expect(gone).toEqual([endpoint])
  })
})
