import { type ErrorKey, fail, wireCode } from '@porttunneler/shared/base/errors'
import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { Endings } from '@porttunneler/shared/mux/endings'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import { limits } from '@porttunneler/shared/protocol/limits'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Origins } from './listeners/origins.ts'
import { Meters } from './meters/meters.ts'
import { Admission } from './policy/admission.ts'
import { compileIpFilter } from './policy/ip-filter.ts'
import { chooseMember, failed, newMember } from './pool.ts'
import type { Route } from './routes.ts'
import type { SessionHandle } from './session-handle.ts'
import { claimsOf } from './testing/test-control.ts'
import type { Visit } from './visit.ts'
import { Visitors } from './visitors.ts'

const info = { visitorAddress: '192.0.2.1', visitorPort: 1, localPort: 2, awaitsUpgrade: false }
const rate = { perMinute: 60_000, burst: 1_000 }
const refused = wireCode('upstream.refused')

type Opened = {
  readonly agent: string
  readonly resets: ErrorKey[]
  saysOpened(connectMs: number): void
  saysReset(code: number): void
}

/** Agents a, b and c of one tunnel, and what each is asked for. */
function setUp(names = ['a', 'b', 'c']) {
  const clock = new FakeClock()
  const meters = new Meters()
  const opened: Opened[] = []
  const visitors = new Visitors({
    endings: new Endings(setImmediate),
    clock,
    meters,
    isShortOfMemory: () => false,
    origins: new Origins({
      clock,
      proxies: new TrustedProxies([]),
      headerAt: [],
      waitingMax: 1,
      refused: () => {},
    }),
    visitorsMax: 1_000,
    exempt: [],
    admission: new Admission(clock, { source: rate, account: rate, exempt: [] }),
    onConnected() {},
  })
  const members = names.map((agent) => newMember({ session: fakeSession(agent, opened), bind: 1 }, agent))
  const claims = { iss: 'x', iat: 0, exp: 1, ...claimsOf('host:demo.test'), agents: 'many' as const }
  const meter = meters.of(claims.sub, claims.account)
  const { policy, endpoint } = claims
  const ipFilter = compileIpFilter(policy)
  const route: Route = { endpoint, claims, policy, policyVersion: 0, ipFilter, meter, members }
  const heard: string[] = []
  const connect = () =>
    visitors.open(route, info, {
      onVisit: (visit: Visit) => {
        heard.push('visit')
        visit.stream.serve({
          onData() {},
          onFin() {},
          onWritable() {},
          onReset: (code: number) => heard.push(`reset ${code}`),
        })
      },
      onFailed: (key) => heard.push(key),
    })
  const askedOf = () => opened.map(({ agent }) => agent).join('')
  return { clock, visitors, members, meter, heard, opened, connect, askedOf }
}

function fakeSession(agent: string, opened: Opened[]): SessionHandle & { state: string; refuse?: ErrorKey } {
  return {
    id: agent,
    state: 'open',
    rttMs: 1,
    unbound() {},
    resetBind() {},
    open(this: { refuse?: ErrorKey }, _info, first, watch) {
      if (this.refuse) throw fail(this.refuse)
      const resets: ErrorKey[] = []
      let sink = first
      const saysReset = (code: number) => {
        watch?.onOver()
        sink.onReset(code)
      }
      const saysOpened = (connectMs: number) => {
        watch?.onOpened(connectMs)
        sink.onOpened?.(connectMs)
      }
      opened.push({ agent, resets, saysOpened, saysReset })
      const stream = {
        bytesIn: 0,
        bytesOut: 0,
        state: 'opening',
        serve: (next: StreamSink) => {
          sink = next
        },
        cut: (key: ErrorKey) => {
          resets.push(key)
          saysReset(wireCode(key))
        },
      }
      return stream as unknown as Stream
    },
  }
}

describe('pool: which agent gets a visitor', () => {
  test('the agent with the fewest; equals take turns', () => {
    const { connect, members, askedOf } = setUp()
    for (let i = 0; i < 6; i++) connect()
    expect([askedOf().slice(0, 3), askedOf().slice(3)].map((each) => [...each].sort())).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ])
    const [, busiest] = members
    if (busiest) busiest.active = 9
    connect()
    connect()
    expect([...askedOf().slice(6)].sort()).toEqual(['a', 'c'])
  })

  test('no agent ever has two more than another while all accept their visitors', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (comes) => {
        const { connect, opened, members } = setUp()
        const open: Opened[] = []
        for (const isComing of comes) {
          if (isComing) {
            connect()
            const one = opened.at(-1)
            one?.saysOpened(1)
            if (one) open.push(one)
            const counts = members.map(({ active }) => active)
            const agent = members.findIndex(({ session }) => session.id === one?.agent)
            expect(counts[agent]).toBe(
              Math.min(...counts.map((count, at) => (at === agent ? count : count + 1))),
            )
          } else open.shift()?.saysReset(1)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('an agent whose upstream was out of reach is skipped for five seconds, unless it is the only one', () => {
    const { members } = setUp(['a', 'b'])
    const [a, b] = members as [(typeof members)[0], (typeof members)[0]]
    failed(a, 0)
    const choose = (nowMs: number, tried: readonly (typeof a)[] = []) =>
      chooseMember(members, { tried: new Set(tried), nowMs, turn: 0 })
    b.active = 9
    expect(choose(4_999)).toBe(b)
    expect(choose(5_000)).toBe(a)
    expect(choose(0, [b])).toBe(a)
    expect(choose(0, [a, b])).toBeUndefined()
  })

  test('a session without a connection gets no visitor', () => {
    const { members, connect, askedOf } = setUp()
    Object.assign(members[0]?.session ?? {}, { state: 'detached' })
    Object.assign(members[1]?.session ?? {}, { state: 'draining' })
    connect()
    expect(askedOf()).toBe('c')
  })
})

describe('pool: a visitor on its way', () => {
  test('is offered to the next agent when an upstream refuses, counts once, and stays where it was accepted', () => {
    const { connect, opened, askedOf, heard, meter, visitors } = setUp()
    connect()
    opened[0]?.saysReset(refused)
    opened[1]?.saysReset(refused)
    expect(new Set(askedOf()).size).toBe(3)
    expect(meter.read()).toMatchObject({ opened: 1, active: 1, closed: 0, refused: 0 })
    opened[2]?.saysOpened(1)
    expect(heard).toEqual(['visit'])
    opened[2]?.saysReset(refused)
    expect(heard).toEqual(['visit', `reset ${refused}`])
    expect([askedOf().length, visitors.active]).toEqual([3, 0])
  })

  test('gets the last reason when no agent could take it', () => {
    const { connect, opened, heard, clock } = setUp(['a', 'b'])
    connect()
    opened[0]?.saysReset(refused)
    clock.advance(limits.openDeadlineMs)
    expect(heard).toEqual(['open.deadline'])
    expect(clock.pending).toBe(0)
  })

  test('that leaves while it waits is forgotten, and no other agent is asked', () => {
    const { connect, opened, heard, members, askedOf } = setUp()
    connect()?.cancel()
    expect([opened[0]?.resets, heard, askedOf().length]).toEqual([['stream.aborted'], [], 1])
    expect(members.map(({ active }) => active)).toEqual([0, 0, 0])
  })

  test('is offered to another as soon as the connection to its agent is gone', () => {
    const { connect, opened, visitors, members, askedOf, heard } = setUp(['a', 'b'])
    connect()
    const first = members.find(({ session }) => session.id === opened[0]?.agent)
    if (first) Object.assign(first.session, { state: 'detached' })
    if (first) visitors.abandon(first.session)
    expect([...askedOf()].sort()).toEqual(['a', 'b'])
    opened[1]?.saysOpened(1)
    expect(heard).toEqual(['visit'])
  })

  test('skips an agent whose session takes no more; when none does, the reason is thrown and counted', () => {
    const { connect, members, askedOf, meter } = setUp(['a', 'b'])
    Object.assign(members[0]?.session ?? {}, { refuse: 'session.limit' })
    connect()
    connect()
    expect(askedOf()).toBe('bb')
    Object.assign(members[1]?.session ?? {}, { refuse: 'session.limit' })
    expect(connect).toThrow(expect.objectContaining({ key: 'session.limit' }))
    expect([...meter.refusals()]).toEqual([['session.limit', 1]])
  })
})
