import { once } from 'node:events'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import { newId } from '@porttunneler/shared/base/ids'
import { silentLog } from '@porttunneler/shared/base/log'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CommandSource } from './platform/commands.ts'
import { Relay } from './relay.ts'
import { account, claimsOf, makeTestControl, type TestControl } from './testing/test-control.ts'
import { readAll, TestBench, testConfig } from './testing/test-relay.ts'

let control: TestControl
let bench: TestBench

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

describe('relay start', () => {
  test('the first start enrols, later ones need no key; only the owner can read the credential', async () => {
    const first = await bench.startRelay()
    await first.relay.close()
    const file = join(bench.dataDir, 'credential.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readFile(file, 'utf8')).toContain('ptc_test')
    const second = await bench.startRelay({ enrolmentKey: undefined })
    expect(second.relay.phase).toBe('ready')
  })

  test('a data folder that was open to others is closed, and a shared one keeps its mode', async () => {
    const modeOf = async (name: string) => (await stat(join(bench.dataDir, name))).mode & 0o777
    const first = await bench.startRelay()
    await first.relay.close()
    const files = ['credential.json', 'state.json', 'tls/relay.key']
    const open = async () => {
      for (const name of ['', 'tls']) await chmod(join(bench.dataDir, name), 0o755)
      for (const name of files) await chmod(join(bench.dataDir, name), 0o644)
    }
    await open()
    const second = await bench.startRelay()
    await second.relay.close()
    for (const name of ['', 'tls']) expect([name, await modeOf(name)]).toEqual([name, 0o700])
    for (const name of files) expect([name, await modeOf(name)]).toEqual([name, 0o600])
    await open()
    await mkdir(join(bench.dataDir, 'letters'), { mode: 0o755 })
    await bench.startRelay()
    expect([await modeOf(''), await modeOf('letters')]).toEqual([0o755, 0o755])
    for (const name of files) expect([name, await modeOf(name)]).toEqual([name, 0o600])
  })

  test('its report lets agents dial and check it', async () => {
    const { ports } = await bench.startRelay()
    const { boot, state } = control.requests.at(-1)!
    expect(state).toBe('starting')
    expect(boot).toMatchObject({
      instance: 'r1',
      agentAddress: { host: '127.0.0.1', port: ports.tlsPort, sni: 'r1.relay.tunnels.test' },
      watchUrl: `http://relay.tunnels.test:${ports.httpPort}`,
    })
    expect(boot.agentAddress.certificate).toContain('BEGIN CERTIFICATE')
  })

  test.each([
    ['a wrong key', { enrolmentKey: 'pte_wrong' }],
    ['no key', { enrolmentKey: undefined }],
  ])('%s ends the start with a code, and every port is free again', async (_title, changes) => {
    await expect(bench.startRelay(changes)).rejects.toMatchObject({ key: 'relay.enrolment' })
  })

  test('a taken port ends the start and names the port', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const listen = {
      tls: { host: '127.0.0.1', port: 0 },
      http: { host: '127.0.0.1', port },
      tcpHost: '127.0.0.1',
    }
    await expect(bench.startRelay({ listen })).rejects.toMatchObject({
      key: 'relay.port',
      detail: expect.stringContaining(String(port)),
    })
    taken.close()
  })

  test('an unusable data folder ends the start', async () => {
    const file = join(bench.dataDir, 'file')
    await writeFile(file, '')
    await expect(bench.startRelay({ dataDir: join(file, 'inside') })).rejects.toMatchObject({
      key: 'relay.data',
    })
  })

  test('damaged files are set aside and reported, and the relay starts without them', async () => {
    const names = ['state.json', 'usage.json', 'events.json']
    for (const name of names) await writeFile(join(bench.dataDir, name), '{"half')
    await bench.startRelay()
    for (const name of names)
      expect(await readFile(join(bench.dataDir, `${name}.damaged`), 'utf8')).toBe('{"half')
    const told = bench.control.requests.flatMap(({ events }) => events)
    expect(told.map((event) => event?.kind)).toEqual(names.map(() => 'relay.set_aside'))
    expect(told.map((event) => event?.fields.file)).toEqual(
      names.map((name) => join(bench.dataDir, `${name}.damaged`)),
    )
  })

  test('an agent that comes before the relay is ready waits, and is not sent away', async () => {
    const first = await bench.startRelay()
    await first.relay.close()
    const mayAnswer = Promise.withResolvers<void>()
    const wasAsked = Promise.withResolvers<number>()
    const slow: TestControl = {
      ...control,
      async sync(request, credential, signal) {
        wasAsked.resolve(request.boot.agentAddress.port)
        await mayAnswer.promise
        return await control.sync(request, credential, signal)
      },
    }
    const host = '127.0.0.1'
    const admin = { host, port: await freePort() }
    const listen = { tls: { host, port: 0 }, http: { host, port: 0 }, tcpHost: host, admin }
    const starting = bench.startRelay({ listen }, { control: slow })
    const tlsPort = await wasAsked.promise
    const ticket = await control.ticket({ endpoint: 'host:demo.tunnels.test' })
    const dialling = bench.dial({ tlsPort, httpPort: 0, adminPort: 0 }, { ticket })
    await vi.waitFor(
      async () => {
        const metrics = await (await fetch(`http://${host}:${admin.port}/metrics`)).text()
        expect(metrics).toContain('ptun_stranger_sockets 1')
      },
      { timeout: 20_000 },
    )
    mayAnswer.resolve()
    const [agent] = await Promise.all([dialling, starting])
    expect(await agent.bind(1, ticket)).toBe('host:demo.tunnels.test')
  })

  test('with the control plane away it serves after 30 s from what it remembers', async () => {
    const first = await bench.startRelay()
    await first.relay.close()
    control.isDown = true
    const clock = new FakeClock(Date.now())
    const relay = new Relay({
      config: testConfig(bench.dataDir),
      log: silentLog,
      random: () => 0,
      control,
      clock,
    })
    const started = relay.start()
    let ports: Awaited<typeof started> | undefined
    void started.then((got) => {
      ports = got
    })
    while (relay.phase === 'starting') await clock.advanceAsync(1_000)
    expect(clock.monotonic()).toBeGreaterThanOrEqual(30_000)
    await started
    expect((await fetch(`http://127.0.0.1:${ports!.adminPort}/readyz`)).status).toBe(200)
    await relay.close()
  })
})

describe('relay decrees', () => {
  test('a revocation is remembered over a restart without the control plane', async () => {
    const endpoint = 'host:demo.tunnels.test'
    const first = await bench.startRelay()
    control.commands.push({
      id: 'c',
      kind: 'revoke',
      at: Date.now(),
      endpoint,
      epoch: 101,
      reason: 'deleted',
    })
    await first.relay.drain()
    const second = await bench.startRelay()
    const ticket = await control.ticket({ endpoint })
    const agent = await bench.dial(second.ports, { ticket })
    agent.session.bind(1, ticket)
    expect(await agent.heard('unbound', 1)).toMatchObject({ code: 'PT-3014' })
    const fresh = await control.ticket({ endpoint, epoch: 101 })
    expect(await agent.bind(2, fresh)).toBe(endpoint)
  })

  test.each([
    ['moved', 'PT-2103'],
    ['superseded', 'PT-3013'],
    ['released', 'PT-3014'],
  ])('an agent whose lease was %s hears %s', async (reason, code) => {
    const { source, send } = handCommands()
    const { ports } = await bench.startRelay({}, { commands: source })
    const ticket = await control.ticket({ endpoint: 'host:a.tunnels.test' })
    const agent = await bench.dial(ports, { ticket })
    await agent.bind(1, ticket)
    send({ id: 'c', kind: 'revoke', at: Date.now(), endpoint: 'host:a.tunnels.test', epoch: 101, reason })
    expect(await agent.heard('unbound', 1)).toMatchObject({ code })
  })

  test.each(['stopped', 'moved'])(
    'when a lease is %s, the agent that was stopped from afar hears that',
    async (reason) => {
      const { source, send } = handCommands()
      const { ports } = await bench.startRelay({}, { commands: source })
      const endpoint = 'host:a.tunnels.test'
      const [stopped, other] = [newId('agt', 1), newId('agt', 2)] as const
      const told = await Promise.all(
        [stopped, other].map(async (agent) => {
          const ticket = await control.ticket({ endpoint, agent, agents: 'many' })
          const dialled = await bench.dial(ports, { ticket, agentId: agent })
          await dialled.bind(1, ticket)
          return { dialled, ticket }
        }),
      )
      const command = { id: 'c', kind: 'revoke', at: Date.now(), endpoint, epoch: 101, reason } as const
      send({ ...command, agents: [stopped] })
      const others = reason === 'moved' ? 'PT-2103' : 'PT-3014'
      for (const [index, code] of ['PT-2900', others].entries())
        expect(await told[index]?.dialled.heard('unbound', 1)).toMatchObject({ code })
      // One that was away then shows its old ticket, and hears the same.
      for (const [index, code] of ['PT-2900', others].entries()) {
        const { dialled, ticket = '' } = told[index] ?? {}
        dialled?.session.bind(2, ticket)
        expect(await dialled?.heard('unbound', 2)).toMatchObject({ code })
      }
    },
  )

  test('a tunnel that is bound to another endpoint already is told nothing about its old one', async () => {
    const { source, send } = handCommands()
    const { ports } = await bench.startRelay({}, { commands: source })
    const [old, fresh] = ['host:old.tunnels.test', 'host:new.tunnels.test']
    const ticket = await control.ticket({ endpoint: old })
    const agent = await bench.dial(ports, { ticket })
    await agent.bind(1, ticket)
    agent.session.bind(1, await control.ticket({ endpoint: fresh }))
    await agent.heard('bound', 1, fresh)
    send({ id: 'c', kind: 'revoke', at: Date.now(), endpoint: old, epoch: 101, reason: 'moved' })
    await agent.bind(2, await control.ticket({ endpoint: 'host:other.tunnels.test' }))
    expect(agent.events.map(({ kind }) => kind)).toEqual(['bound', 'bound', 'bound'])
  })

  test('a suspended account loses its tunnels and visitors at once and gets no new session', async () => {
    const { source, send } = handCommands()
    const { ports } = await bench.startRelay({}, { commands: source })
    const upstreamPort = await bench.startUpstream((socket) => socket.write('welcome'))
    const port = await freePort()
    const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
    const agent = await bench.dial(ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    const visitor = connect(port, '127.0.0.1')
    await once(visitor, 'data')
    const cut = once(visitor, 'error')
    send({ id: 'c', kind: 'suspend', at: Date.now(), account, suspended: true, version: 1 })
    expect((await cut)[0]).toMatchObject({ code: 'ECONNRESET' })
    expect(await agent.heard('unbound', 1)).toMatchObject({ code: 'PT-3014' })
    await expect(bench.dial(ports, { ticket })).rejects.toMatchObject({ key: 'session.revoked' })
    send({ id: 'd', kind: 'suspend', at: Date.now(), account, suspended: false, version: 2 })
    send({ id: 'c', kind: 'suspend', at: Date.now(), account, suspended: true, version: 1 })
    const back = await bench.dial(ports, { ticket, upstreamPort })
    await back.bind(1, ticket)
  })

  test('a command older than any ticket is ignored: what overruled it may be forgotten', async () => {
    const { source, send } = handCommands()
    const { ports } = await bench.startRelay({}, { commands: source })
    const dayMs = 24 * 3_600_000
    send({ id: 'c', kind: 'suspend', at: Date.now() - dayMs, account, suspended: true, version: 1 })
    const ticket = await control.ticket({ endpoint: 'host:a.tunnels.test' })
    const agent = await bench.dial(ports, { ticket })
    await agent.bind(1, ticket)
  })

  test('a new policy applies to the next visitor, without a new ticket', async () => {
    const { source, send } = handCommands()
    const { ports } = await bench.startRelay({}, { commands: source })
    const upstreamPort = await bench.startUpstream((socket) => socket.end('welcome'))
    const port = await freePort()
    const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
    const agent = await bench.dial(ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    const { sub: tunnel, policy } = claimsOf(`tcp:c1:${port}`)
    const deny = { ...policy, deny: ['127.0.0.0/8'] }
    send({ id: 'c', kind: 'policy', at: Date.now(), tunnel, policy: deny, policyVersion: 2 })
    expect((await once(connect(port, '127.0.0.1'), 'error'))[0]).toMatchObject({ code: 'ECONNRESET' })
    send({ id: 'b', kind: 'policy', at: Date.now(), tunnel, policy, policyVersion: 1 })
    expect((await once(connect(port, '127.0.0.1'), 'error'))[0]).toMatchObject({ code: 'ECONNRESET' })
    send({ id: 'd', kind: 'policy', at: Date.now(), tunnel, policy, policyVersion: 3 })
    expect(await readAll(connect(port, '127.0.0.1'))).toBe('welcome')
  })

  test('an order to drain is carried out once, by the process that it was meant for', async () => {
    const { source, send } = handCommands()
    let orders = 0
    await bench.startRelay({}, { commands: source, onDrainCommand: () => orders++ })
    const relay = (await readFile(join(bench.dataDir, 'credential.json'), 'utf8')).match(/rel_\w+/)?.[0] ?? ''
    const order = { id: 'c', kind: 'drain', relay, version: 1 } as const
    send({ ...order, at: Date.now() - 60_000 })
    send({ ...order, relay: 'rel_other', at: Date.now() + 1_000 })
    expect(orders).toBe(0)
    send({ ...order, at: Date.now() + 1_000 })
    expect(orders).toBe(1)
  })
})

/** Brings commands by hand, as the bus would. */
function handCommands() {
  let onCommand: ((command: Command) => void) | undefined
  const source: CommandSource = {
    start(listener) {
      onCommand = listener
    },
    close() {},
  }
  return { source, send: (command: Command) => onCommand?.(command) }
}
