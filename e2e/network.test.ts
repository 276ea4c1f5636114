/** A failing network between agent and relay: cut connections, silence, long delays. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isWhole, promisedMs } from './breadth.ts'
import { type Agent, startAgent } from './harness/agent.ts'
import { eventually, within } from './harness/events.ts'
import { type FaultProxy, startFaultProxy } from './harness/fault-proxy.ts'
import { type GrpcServer, startGrpc } from './harness/grpc.ts'
import { visit } from './harness/http.ts'
import { type Service, visitorAddress } from './harness/service.ts'
import { dial, type Listening, readBytes } from './harness/sockets.ts'
import {
  freeSettings,
  makeKey,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { receiveHashed, sendHashed } from './harness/transfer.ts'
import { type HttpUpstream, startEcho, startHttp } from './harness/upstreams.ts'
import { grpcSuite } from './suites/grpc.ts'

const transferBytes = (isWhole ? 16 : 4) * 1024 ** 2

describe('network between agent and relay', () => {
  let folder: string
  let proxy: FaultProxy
  let standalone: Standalone
  let service: Pick<Service, 'api' | 'key' | 'addressOf'> & Service
  let web: HttpUpstream
  let echo: Listening
  let grpc: GrpcServer
  let agent: Agent
  let url: string
  let tlsPort: number

  beforeAll(async () => {
    folder = temporaryFolder('network')
    const env = await freeSettings()
    tlsPort = Number(env.PORTTUNNELER_TLS_PORT)
    proxy = await startFaultProxy({ host: '127.0.0.1', port: tlsPort })
    // Agents are told the proxy's port, as with a port mapping in front of the relay.
    writeFileSync(join(folder, 'standalone.yaml'), `public:\n  tls: ${proxy.port}\n`)
    standalone = await startStandalone({ folder, env })
    const { api, account = { email: '', password: '' } } = standalone.file
    const login = { api: new URL(api).origin, account }
    service = {
      ...login,
      key: await makeKey(login),
      addressOf: (_host, port) => ({ host: '127.0.0.1', port }),
      faults: {
        killRelay: () => Promise.reject(new Error('not here')),
        freezeControlPlane: () => () => undefined,
      },
      stop: async () => undefined,
    }
    ;[web, echo, grpc] = await Promise.all([startHttp(), startEcho(), startGrpc()])
    agent = await startAgent(service, {
      web: { kind: 'http', upstream: web.port },
      wire: { kind: 'tcp', upstream: echo.port },
      calls: { kind: 'http', upstream: grpc.port, upstreamProtocol: 'h2c' },
    })
    url = await agent.online('web')
  })
  afterAll(async () => {
    await agent?.stop()
    await standalone?.program.stop()
    grpc?.close()
    await Promise.all([proxy?.close(), web?.close(), echo?.close()])
    rmSync(folder, { recursive: true, force: true })
  })

  const answers = async () => ((await visit(service, `${url}/hello`)).status === 200 ? true : undefined)

  test('everything between them goes through the proxy of this test', async () => {
    expect(proxy.connections).toBeGreaterThan(0)
    await eventually('visitors get in', answers)
  })

  test('a cut connection: the agent is back within two seconds', async () => {
    const from = agent.events.items.length
    proxy.cut()
    await agent.waitFor('relay.lost', { from, deadlineMs: promisedMs(1_000) })
    await agent.waitFor('relay.connected', { from, deadlineMs: promisedMs(2_000) })
    expect(await agent.online('web', from)).toBe(url)
    await eventually('visitors get in', answers)
  })

  test('silence: both ends notice within ten seconds, and an open visitor goes on when it ends', async () => {
    const from = agent.events.items.length
    const visitor = await dial(visitorAddress(service, await agent.online('wire')))
    const echoed = async (word: string) => {
      visitor.write(word)
      return String(await within(readBytes(visitor, word.length), `"${word}" comes back`))
    }
    expect(await echoed('before')).toBe('before')
    proxy.blackHole()
    await agent.waitFor('relay.lost', { from, deadlineMs: promisedMs(11_000) })
    await eventually(
      'the relay knows',
      async () => (await visit(service, url)).status === 503 || undefined,
      promisedMs(11_000),
    )
    proxy.heal()
    await agent.waitFor('relay.connected', { from, deadlineMs: promisedMs(30_000) })
    await eventually('visitors get in', answers)
    expect(await echoed('after')).toBe('after')
    visitor.destroy()
  })

  test('a delay of 50 ms: transfers arrive whole, and pings do not count as silence', async () => {
    const from = agent.events.items.length
    proxy.delay(50)
    const socket = await dial(visitorAddress(service, await agent.online('wire')))
    const received = receiveHashed(socket)
    const sha256 = await sendHashed(socket, { bytes: transferBytes, seed: 5 })
    expect(await within(received, 'the transfer', 40_000)).toEqual({ sha256, bytes: transferBytes })
    expect(agent.events.items.slice(from).filter(({ event }) => event === 'relay.lost')).toEqual([])
    proxy.delay(0)
  })

  grpcSuite(() => ({
    server: grpc,
    host: `calls.${new URL(url).hostname.replace(/^[^.]+\./, '')}`,
    port: tlsPort,
    cut: () => proxy.cut(),
    back: () =>
      agent.waitFor('relay.connected', { from: agent.events.items.length, deadlineMs: promisedMs(5_000) }),
  }))
})
