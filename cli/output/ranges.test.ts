import { fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { type AgentEvent, problemOf, type TunnelStatus } from '../agent/events.ts'
import { drawnOf } from '../testing/live-view.ts'
import { widthOf } from './columns.ts'
import { sentenceOf } from './lines.ts'
import { groupRanges, isRange, type Range, shortNames, statesOf, troublesOf } from './ranges.ts'
import { ToldOnce } from './told-once.ts'

const taken = problemOf(fail('endpoint.port_taken', 'Port 20105 is not free.'))
const port = (n: number, changes: Partial<TunnelStatus> = {}): TunnelStatus => ({
  name: `data-${n}`,
  kind: 'tcp',
  upstream: `localhost:${n + 10_000}`,
  range: { name: 'data', port: n },
  state: 'online',
  isShared: false,
  url: `tcp://relay.test:${n}`,
  relays: 1,
  active: 1,
  total: 2,
  bytesIn: 3,
  bytesOut: 4,
  ...changes,
})
const ports = Array.from({ length: 11 }, (_, n) => port(20_100 + n))
const refused = ports.map((one, n) => {
  const { url: _, ...rest } = one
  return n === 5 ? { ...rest, state: 'waiting' as const, problem: taken } : one
})
const web: TunnelStatus = { ...port(1), name: 'web', kind: 'http', upstream: 'localhost:3000' }
const { range: _, ...alone } = web

function rangeIn(tunnels: readonly TunnelStatus[]): Range {
  const range = groupRanges(tunnels).find(isRange)
  if (!range) throw new Error('no range')
  return range
}

const draw = (tunnels: readonly TunnelStatus[], rows = 24) =>
  drawnOf({ tunnels }, { columns: 100, rows }).lines

describe('a range of ports', () => {
  test('is one entry where its first port stands, beside tunnels that are none', () => {
    const rows = groupRanges([alone, ...ports, { ...alone, name: 'last' }])
    expect(rows.map(({ name }) => name)).toEqual(['web', 'data', 'last'])
    expect(groupRanges([port(7)]).some(isRange), 'one port is a tunnel').toBe(false)
  })

  test('says how many of its ports are in which state, and what is wrong with those that are not up', () => {
    expect(statesOf(rangeIn(ports))).toBe('11 Healthy')
    expect(statesOf(rangeIn(refused))).toBe('10 Healthy, 1 Refused PT-2302')
    const many = refused.map((one, n) => (n > 7 ? { ...one, problem: taken } : one))
    expect(troublesOf(rangeIn(many)).map((one) => one.ports)).toEqual(['20105, 20108-20110'])
  })

  test('is two lines of the live picture, and its trouble two more', () => {
    const lines = draw(refused)
    expect(lines[3]).toBe('✕ tcp://relay.test:20100-20110 → localhost:30100-30110  data')
    expect(lines[4]).toBe(
      '  11 ports: 10 Healthy, 1 Refused PT-2302 · 11 open · 22 in all · in 33 B · out 44 B',
    )
    expect(lines[5]).toBe('  PT-2302 20105: Port 20105 is not free.')
    expect(draw(ports).filter((line) => line.includes('data'))).toHaveLength(1)
    expect(draw(ports, 6).every((line) => widthOf(line) <= 100)).toBe(true)
  })

  test.each([
    [['data-1', 'data-2', 'data-3', 'web'], 'data-1 to data-3, web'],
    [['data-1', 'data-3'], 'data-1, data-3'],
    [['data-1', 'data-2'], 'data-1, data-2'],
    [['a', 'b', 'c', 'd', 'e', 'f', 'g'], 'a, b, c, d, e and 2 more'],
    [[], ''],
  ])('%j in short', (names, text) => expect(shortNames(names)).toBe(text))
})

describe('what happens to many tunnels at once', () => {
  function listen() {
    const clock = new FakeClock()
    const said: string[] = []
    const once = new ToldOnce(clock, (events) => {
      const sentence = sentenceOf(events, { isVerbose: false })
      if (sentence) said.push(sentence)
    })
    return { clock, said, once }
  }
  const online = (n: number): AgentEvent => ({
    event: 'tunnel.online',
    tunnel: `data-${n}`,
    kind: 'tcp',
    url: `tcp://relay.test:${n}`,
    upstream: 'localhost:5000',
  })
  const refusal = (tunnel: string, problem = taken): AgentEvent => ({
    event: 'tunnel.refused',
    tunnel,
    problem,
    retryInMs: 2_000,
  })

  test('a range that comes up is one line', () => {
    const { clock, said, once } = listen()
    for (const n of [20_100, 20_101, 20_102]) once.take(online(n))
    expect(said).toEqual([])
    clock.advance(200)
    expect(said).toEqual([
      'data-20100 to data-20102 are online: tcp://relay.test:20100-20102 -> localhost:5000',
    ])
    expect(clock.pending).toBe(0)
  })

  test('a plan that has no room for twenty says so once, with their number', () => {
    const { clock, said, once } = listen()
    const full = problemOf(fail('quota.tunnels', '3 of 3 tunnels of the plan "free" are online.'))
    for (let n = 0; n < 20; n++) once.take(refusal(`t${n}`, full))
    clock.advance(200)
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(
      /^20 tunnels \(t0, t1, t2, t3, t4 and 15 more\) have no endpoint: PT-2201 3 of 3 .*; next try in 2 s\. Stop /,
    )
  })

  test('what differs is told by itself, and what happens to one tunnel in its order', () => {
    const { clock, said, once } = listen()
    once.take(refusal('a'))
    once.take({ ...online(20_100), tunnel: 'web' } as AgentEvent)
    expect(said.map((one) => one.split(' ')[0])).toEqual(['a', 'web'])
    once.take(online(20_100))
    once.take({ event: 'tunnel.offline', tunnel: 'data-20100' })
    once.take(online(20_100))
    clock.advance(200)
    expect(said.slice(2).map((one) => one.slice(0, 24))).toEqual([
      'data-20100 is online: tc',
      'data-20100 is offline un',
      'data-20100 is online: tc',
    ])
    once.take(refusal('b'))
    once.flush()
    expect(said).toHaveLength(6)
    expect(clock.pending).toBe(0)
  })
})
