import { codes } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import {
  online,
  relayOne,
  relayTwo,
  renewInMs,
  type Stage,
  setStage,
  settle,
  tunnelOf,
  web,
} from '../testing/agent-stage.ts'

describe('relays that come and go', () => {
  test('a relay with a successor serves until that one does: the tunnel is online all the time', async () => {
    const stage = setStage()
    await online(stage)
    const [old] = stage.sessions
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    await stage.clock.advanceAsync(10, 10)
    const [, next] = stage.sessions
    expect(next?.binds).toHaveLength(1)
    expect([tunnelOf(stage)?.state, old?.unbinds]).toEqual(['online', []])
    next?.grant()
    await stage.clock.advanceAsync(1_900, 100)
    expect(old?.unbinds, 'a visitor may be on the way to it').toEqual([])
    await stage.clock.advanceAsync(200, 100)
    expect(old?.unbinds, 'nobody needs it any more').toEqual([1])
    old?.events.onGoAway('PT-3020', 60_000, 200)
    old?.lose('relay.draining')
    expect(tunnelOf(stage)?.state).toBe('online')
    expect(stage.names()).not.toContain('tunnel.offline')
    expect(stage.names()).not.toContain('relay.lost')
    expect(stage.sessions).toHaveLength(2)
  })

  test('an old relay that ends early takes nothing away from its successor', async () => {
    const stage = setStage()
    await online(stage)
    const [old] = stage.sessions
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    await stage.clock.advanceAsync(10, 10)
    stage.sessions[1]?.grant()
    old?.lose('carrier.lost')
    expect(tunnelOf(stage)?.state).toBe('online')
    await stage.clock.advanceAsync(3_000, 100)
    expect(stage.names()).not.toContain('tunnel.offline')
  })

  test('it keeps trying an unreachable successor; the tunnel is offline when the old one ends', async () => {
    const stage = setStage()
    await online(stage)
    const [old] = stage.sessions
    stage.relayFailure = { key: 'relay.unreachable' }
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    await stage.clock.advanceAsync(10_000, 100)
    // Repeated after a connection was lost.
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    expect(tunnelOf(stage)?.state).toBe('online')
    old?.events.onGoAway('PT-3020', 60_000, 200)
    expect(tunnelOf(stage)?.state).toBe('connecting')
    stage.relayFailure = undefined
    await stage.clock.advanceAsync(30_000, 100)
    stage.sessions[1]?.grant()
    expect(tunnelOf(stage)?.state).toBe('online')
  })

  test('when the successor refuses a tunnel, the old one stops serving it', async () => {
    const stage = setStage()
    await online(stage)
    const [old] = stage.sessions
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    await stage.clock.advanceAsync(10, 10)
    stage.sessions[1]?.refuse(1, 'session.superseded')
    await stage.clock.advanceAsync(10, 10)
    expect(old?.unbinds).toContain(1)
    expect(tunnelOf(stage)?.state).toBe('stopped')
  })

  test('a relay that the directory renames is the same one at the same address', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.relays = stage.home.relays.map((relay) => ({ ...relay, instance: 'renamed' }))
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.sessions).toHaveLength(1)
    expect(stage.sessions[0]?.state).toBe('open')
  })

  test('it asks the control plane about a lost relay: soon, then ever more rarely', async () => {
    const stage = setStage({ random: () => 0.5 })
    await online(stage)
    const renewals = () => stage.home.renewals.length
    stage.relayFailure = { key: 'relay.unreachable' }
    stage.sessions[0]?.lose('carrier.lost')
    await stage.clock.advanceAsync(3_100, 100)
    expect(renewals()).toBe(1)
    stage.home.relays = [relayTwo]
    await stage.clock.advanceAsync(15_100, 100)
    expect(stage.dials.map(({ instance }) => instance)).toContain('two')
    stage.relayFailure = { key: 'relay.unreachable', of: 'one' }
    await stage.clock.advanceAsync(120_000, 100)
    expect(stage.sessions.at(-1)?.instance).toBe('two')
    const found = renewals()
    await stage.clock.advanceAsync(300_000, 1_000)
    expect(renewals(), 'nothing is missing').toBe(found)
  })

  test('told by a relay that the list changed, it asks where they are, once for many such notices', async () => {
    const stage = setStage({ random: () => 0.5 })
    await online(stage)
    stage.home.relays = [...stage.home.relays, relayTwo]
    for (let n = 0; n < 3; n++)
      stage.sessions[0]?.events.onNotice(codes['relay.directory'].code, 'said by another version')
    await stage.clock.advanceAsync(14_000, 500)
    expect(stage.home.renewals).toHaveLength(0)
    await stage.clock.advanceAsync(2_000, 500)
    expect(stage.home.renewals).toHaveLength(1)
    expect(stage.sessions.map(({ instance }) => instance)).toEqual(['one', 'two'])
    expect(stage.sessions[0]?.state).toBe('open')
    expect(stage.names()).not.toContain('relay.notice')
  })

  test('a relay that left the directory is let go, a new one is dialled', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.relays = [relayTwo]
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    const [gone, next] = stage.sessions
    expect([gone?.state, next?.instance]).toEqual(['open', 'two'])
    next?.grant()
    if (gone) gone.activeStreams = 1
    await stage.clock.advanceAsync(20_000, 5_000)
    expect(gone?.unbinds, 'the other one has it now').toEqual([1])
    expect(gone?.state, 'a visitor is still there').toBe('open')
    if (gone) gone.activeStreams = 0
    await stage.clock.advanceAsync(15_000, 5_000)
    expect(gone?.state).toBe('closed')
    expect(stage.names()).not.toContain('tunnel.offline')
  })

  test('a relay that changes its address is found at both: taking over from itself ends nothing', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.relays = [{ ...relayTwo, instance: 'one' }]
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    const [before, after] = stage.sessions
    after?.grant()
    before?.refuse(1, 'session.superseded')
    await stage.clock.advanceAsync(20_000, 5_000)
    expect([before?.state, tunnelOf(stage)?.state]).toEqual(['closed', 'online'])
    expect(stage.names()).not.toContain('tunnel.offline')
  })

  test('a relay named again before it was let go is kept, and gets its tunnels again', async () => {
    const stage = setStage()
    await online(stage)
    const [first] = stage.home.relays
    stage.home.relays = [relayTwo]
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    const [old] = stage.sessions
    if (old) old.activeStreams = 1
    await stage.clock.advanceAsync(20_000, 5_000)
    const before = old?.binds.length ?? 0
    stage.home.relays = first ? [first, relayTwo] : []
    await stage.clock.advanceAsync(renewInMs, 5_000)
    expect(old?.state).toBe('open')
    expect(old?.binds.length).toBeGreaterThan(before)
    expect(stage.sessions).toHaveLength(2)
  })
})

describe('a relay that is lost and missing from the directory', () => {
  const both = [relayOne, relayTwo]

  async function loseOne(stage: Stage): Promise<void> {
    stage.home.relays = both
    await online(stage)
    stage.relayFailure = { key: 'relay.unreachable' }
    stage.home.relays = [relayTwo]
    stage.sessions.find(({ instance }) => instance === 'one')?.lose('carrier.lost')
    await stage.clock.advanceAsync(3_100, 100)
    expect(stage.home.renewals, 'the directory does not name it now').toHaveLength(1)
  }
  const sessionsOf = (stage: Stage, relay: string) =>
    stage.sessions.filter(({ instance }) => instance === relay).length

  test('is still dialled: it may only be restarting', async () => {
    const stage = setStage({ random: () => 0.5 })
    await loseOne(stage)
    stage.relayFailure = undefined
    await stage.clock.advanceAsync(10_000, 100)
    expect(sessionsOf(stage, 'one')).toBe(2)
    stage.home.relays = both
    await stage.clock.advanceAsync(60_000, 1_000)
    stage.sessions.at(-1)?.grant()
    expect(stage.sessions.map(({ instance, state }) => [instance, state])).toEqual([
      ['one', 'closed'],
      ['two', 'open'],
      ['one', 'open'],
    ])
  })

  test('is asked about once more after it was given up, and then no more', async () => {
    const stage = setStage({ random: () => 0.5 })
    await loseOne(stage)
    await stage.clock.advanceAsync(35_000, 500)
    const tried = stage.dials.length
    await stage.clock.advanceAsync(5_000, 500)
    expect(stage.dials, 'given up').toHaveLength(tried)
    stage.relayFailure = undefined
    stage.home.relays = both
    await stage.clock.advanceAsync(75_000, 500)
    expect(sessionsOf(stage, 'one'), 'found by the last question').toBe(2)
    const asked = stage.home.renewals.length
    await stage.clock.advanceAsync(600_000, 5_000)
    expect(stage.home.renewals).toHaveLength(asked)
  })

  test('is forgotten when it is gone for good', async () => {
    const stage = setStage({ random: () => 0.5 })
    await loseOne(stage)
    await stage.clock.advanceAsync(120_000, 1_000)
    const [dials, asked] = [stage.dials.length, stage.home.renewals.length]
    expect(asked).toBe(3)
    await stage.clock.advanceAsync(900_000, 5_000)
    expect([stage.dials.length, stage.home.renewals.length]).toEqual([dials, asked])
  })
})

describe('an agent with tunnels in two cells', () => {
  const binds = (stage: Stage) =>
    stage.sessions.map(({ instance, binds }) => [instance, binds.map(([bind]) => bind)])
  const api = { ...web, name: 'api' }

  function setTwo(): Stage {
    const stage = setStage({ wanted: [web, api] })
    stage.home.cell = 'north'
    stage.home.cellOf.set('api', { cell: 'south', relays: [relayTwo] })
    return stage
  }

  test('shows every ticket to the relays of its own cell, and keeps a session to those of both', async () => {
    const stage = setTwo()
    await online(stage)
    stage.sessions[1]?.grant()
    expect(binds(stage)).toEqual([
      ['one', [1]],
      ['two', [2]],
    ])
    expect([tunnelOf(stage, 0)?.relays, tunnelOf(stage, 1)?.relays]).toEqual([1, 1])
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(binds(stage)).toEqual([
      ['one', [1, 1]],
      ['two', [2, 2]],
    ])
    stage.sessions[1]?.lose('carrier.lost')
    await stage.clock.advanceAsync(1_000, 100)
    expect(binds(stage).at(-1)).toEqual(['two', [2]])
    expect(stage.names()).not.toContain('tunnel.refused')
  })

  test('an answer about tunnels of one cell leaves the relays of the other alone', async () => {
    const stage = setTwo()
    await online(stage)
    stage.sessions[1]?.grant()
    stage.home.refusals.set('api', 'lease.gone')
    await stage.clock.advanceAsync(renewInMs + 60_000, 5_000)
    expect(stage.sessions.map(({ state }) => state)).toEqual(['open', 'open'])
  })

  test('a moved tunnel is bound only in its new cell, and a cell without a tunnel is left', async () => {
    const stage = setTwo()
    await online(stage)
    stage.sessions[1]?.grant()
    stage.home.cellOf.clear()
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.sessions[0]?.binds.map(([bind]) => bind)).toEqual([1, 1, 2])
    expect(stage.sessions[1]?.unbinds).toEqual([2])
    await stage.clock.advanceAsync(20_000, 1_000)
    expect(stage.sessions.map(({ state }) => state)).toEqual(['open', 'closed'])
  })

  test('binds saved tickets each in its cell while the server is away', async () => {
    const before = setTwo()
    await online(before)
    const stage = setStage({ wanted: [web, api], saved: [before.saved.get(0), before.saved.get(1)] })
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await settle()
    expect(binds(stage)).toEqual([
      ['one', [1]],
      ['two', [2]],
    ])
  })

  test('an older server names no cell: every ticket goes to every relay', async () => {
    const stage = setStage({ wanted: [web, api] })
    stage.home.relays = [relayOne, relayTwo]
    await online(stage)
    expect(binds(stage)).toEqual([
      ['one', [1, 2]],
      ['two', [1, 2]],
    ])
    stage.home.cell = 'north'
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.sessions.map(({ binds, state }) => [binds.length, state])).toEqual([
      [4, 'open'],
      [4, 'open'],
    ])
  })
})
