import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { anyVisitor, muxPair, Recorder } from '@porttunneler/shared/testing/mux-pair'
import { describe, expect, test } from 'vitest'
import { online, setStage, settle, web } from '../testing/agent-stage.ts'
import type { WantedTunnel } from './tunnels.ts'

const api: WantedTunnel = { ...web, name: 'api' }
const path = '/etc/ptun.yaml'
const statesOf = (stage: ReturnType<typeof setStage>) =>
  stage.supervisor.snapshot().tunnels.map(({ name, state, upstream }) => `${name} ${state} ${upstream}`)

describe('reloading ptun.yaml', () => {
  test('a new tunnel starts; an unchanged one is not touched', async () => {
    const stage = setStage()
    await online(stage)
    stage.supervisor.reload([web, api], path)
    await settle()
    stage.sessions[0]?.events.onBound(2, 'host:api.test')
    expect(statesOf(stage)).toEqual(['web online localhost:3000', 'api online localhost:3000'])
    expect(stage.home.claims.map(({ tunnels }) => tunnels.map(({ name }) => name))).toEqual([
      ['web'],
      ['api'],
    ])
    expect(stage.sessions).toHaveLength(1)
    expect(stage.sessions[0]?.unbinds).toEqual([])
    expect(stage.sessions[0]?.binds.filter(([bind]) => bind === 1)).toHaveLength(1)
    expect(stage.events.at(-2)).toEqual({
      event: 'config.reloaded',
      path,
      added: ['api'],
      removed: [],
      changed: [],
    })
  })

  test('a removed one is unbound, given back and forgotten; its number is not used again', async () => {
    const stage = setStage({ wanted: [web, api] })
    await online(stage)
    stage.supervisor.reload([api], path)
    await stage.clock.advanceAsync(1)
    await settle()
    expect(stage.sessions[0]?.unbinds).toEqual([1])
    expect(stage.home.releases.flatMap(({ leases }) => leases.map(({ tunnel }) => tunnel))).toEqual([
      'tun_web',
    ])
    expect(stage.saved.get(0)).toBeUndefined()
    stage.supervisor.reload([api, web], path)
    await settle()
    expect(stage.sessions[0]?.binds.at(-1)?.[0]).toBe(3)
  })

  test('another upstream keeps the address and needs no call', async () => {
    const stage = setStage()
    await online(stage)
    stage.supervisor.reload([{ ...web, upstream: { host: 'localhost', port: 4000 } }], path)
    await settle()
    expect(statesOf(stage)).toEqual(['web online localhost:4000'])
    expect(stage.home.claims).toHaveLength(1)
    expect([stage.sessions[0]?.binds.length, stage.sessions[0]?.unbinds]).toEqual([1, []])
  })

  test('another public port, and a pool, are requested while the old address serves', async () => {
    const tcp: WantedTunnel = { ...web, kind: 'tcp', port: 80 }
    const stage = setStage({ wanted: [tcp] })
    await online(stage)
    stage.supervisor.reload([{ ...tcp, port: 20101, isPool: true }], path)
    expect(stage.supervisor.snapshot().tunnels[0]?.state).toBe('online')
    await settle()
    expect(stage.home.claims.at(-1)?.tunnels).toEqual([
      { name: 'web', kind: 'tcp', port: 20101, agents: 'many' },
    ])
  })

  test('another kind is another tunnel', async () => {
    const stage = setStage()
    await online(stage)
    stage.supervisor.reload([{ ...web, kind: 'tls' }], path)
    await settle()
    expect(stage.sessions[0]?.unbinds).toEqual([1])
    expect(stage.home.claims.at(-1)?.tunnels).toEqual([{ name: 'web', kind: 'tls' }])
  })

  test('an invalid file changes nothing, says why, and the next good one clears that', async () => {
    const stage = setStage()
    await online(stage)
    stage.supervisor.refuseReload(fail('config.invalid', 'ptun.yaml:3:1 slip'), path)
    expect(stage.supervisor.snapshot()).toMatchObject({
      tunnels: [{ name: 'web', state: 'online' }],
      config: { path, problem: { code: 'PT-6012', detail: 'ptun.yaml:3:1 slip' } },
    })
    expect(stage.events.at(-1)).toMatchObject({ event: 'config.refused', problem: { code: 'PT-6012' } })
    stage.supervisor.reload([web], path)
    expect(stage.supervisor.snapshot().config).toEqual({ path, since: stage.clock.now() })
  })

  test('a lease granted after its tunnel was removed is given back', async () => {
    const stage = setStage()
    await online(stage)
    stage.supervisor.reload([web, api], path)
    stage.supervisor.reload([web], path)
    await stage.clock.advanceAsync(1)
    await settle()
    expect(stage.supervisor.snapshot().tunnels).toHaveLength(1)
    expect(stage.sessions[0]?.binds.map(([bind]) => bind)).toEqual([1])
  })

  test.each(['finishes', 'stays'])('a visitor of a removed tunnel who %s', async (what) => {
    const upstream = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {}).resume()
      socket.on('end', () => socket.end('bye'))
    }).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    const { port } = upstream.address() as AddressInfo
    const stage = setStage({ wanted: [{ ...web, upstream: { host: '127.0.0.1', port } }, api] })
    await online(stage)
    const onOpen = stage.sessions[0]?.events.onOpen
    const pair = muxPair({ clock: new FakeClock(), agent: onOpen ? { onOpen } : {} })
    const visitor = new Recorder()
    const opened = Promise.withResolvers<void>()
    visitor.stream = pair.relay.open(anyVisitor, Object.assign(visitor, { onOpened: () => opened.resolve() }))
    await opened.promise
    stage.supervisor.reload([api], path)
    if (what === 'finishes') visitor.stream.end()
    else await stage.clock.advanceAsync(10_000, 1_000)
    await visitor.until(() => visitor.hasFin || visitor.resetCode !== undefined)
    expect(visitor.bytes.toString()).toBe(what === 'finishes' ? 'bye' : '')
    expect(stage.home.releases).toHaveLength(what === 'finishes' ? 0 : 1)
    stage.supervisor.end(0)
    await new Promise((resolve) => upstream.close(resolve))
  })
})
