/**
 * ptun on a machine that reaches the world only by a proxy: neither the server's name nor the relay's can be resolved
 * here, so everything that works went through the proxy. Uses a strict HTTP proxy of the tests, and microsocks.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { selfSignedIdentity, type TlsIdentity } from '@porttunneler/relay-vm/certificate'
import { type ConnectProxy, startConnectProxy } from '@porttunneler/shared/testing/connect-proxy'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { breadthOf } from './breadth.ts'
import { type Agent, agentHome, privateFolders, ptun, startAgent } from './harness/agent.ts'
import { eventually } from './harness/events.ts'
import { visit } from './harness/http.ts'
import { type Program, runProgram, startProgram, textOf } from './harness/programs.ts'
import type { Service } from './harness/service.ts'
import { dial, type Listening, listening, portOf, readBytes } from './harness/sockets.ts'
import {
  firstLogin,
  freeSettings,
  startStandalone,
  startStandaloneService,
  temporaryFolder,
} from './harness/standalone.ts'
import { type HttpUpstream, startEcho, startHttp } from './harness/upstreams.ts'
import { describeWith, programPath } from './requirements.ts'

const relayHost = 'relay.ptun.test'
const apiHost = 'api.ptun.test'
const names = { [relayHost]: '127.0.0.1', [apiHost]: '127.0.0.1' }
const user = { name: 'ann', password: 'top secret' }
const signIn = 'ann:top%20secret@'

let server: Program
let folder: string
let service: Service
/** The service as the agent reaches it: only through the proxy. */
let far: { readonly api: string; readonly key: string }
let web: HttpUpstream
let echo: Listening

beforeAll(async () => {
  folder = temporaryFolder('proxied')
  const settings = await freeSettings()
  const env = {
    ...settings,
    // Agents of a server on loopback are told its address instead of its name.
    PORTTUNNELER_BIND: '0.0.0.0',
    PORTTUNNELER_HOST: relayHost,
    PORTTUNNELER_CONSOLE_URL: `http://127.0.0.1:${settings.PORTTUNNELER_CONSOLE_PORT}`,
    PORTTUNNELER_NAMES: apiHost,
  }
  const started = await startStandalone({ folder, env })
  server = started.program
  const login = await firstLogin(started)
  service = {
    ...login,
    addressOf: (_host, port) => ({ host: '127.0.0.1', port }),
  } as Service
  far = { api: `http://${apiHost}:${new URL(login.api).port}`, key: login.key }
  ;[web, echo] = await Promise.all([startHttp(), startEcho()])
})
afterAll(async () => {
  await server?.stop()
  await Promise.all([web?.close(), echo?.close()])
  rmSync(folder, { recursive: true, force: true })
})

const tunnels = () =>
  ({ far: { kind: 'http', upstream: web.port }, wire: { kind: 'tcp', upstream: echo.port } }) as const

async function answers(agent: Agent): Promise<boolean | undefined> {
  const { status } = await visit(service, `${await agent.online('far')}/hello`)
  return status === 200 || undefined
}

/** A stream that stays open and echoes. */
async function openWire(agent: Agent): Promise<Socket> {
  return dial({ host: '127.0.0.1', port: Number(new URL(await agent.online('wire')).port) })
}

async function echoes(socket: Socket, text: string): Promise<string> {
  const back = readBytes(socket, text.length)
  socket.write(text)
  return String(await back)
}

describe('an agent behind an HTTP proxy', () => {
  let proxy: ConnectProxy
  let agent: Agent

  beforeAll(async () => {
    proxy = await startConnectProxy({ names, user })
    const address = `http://${signIn}127.0.0.1:${proxy.port}`
    agent = await startAgent(far, tunnels(), { env: { HTTP_PROXY: address, HTTPS_PROXY: address } })
  })
  afterAll(async () => {
    await agent?.stop()
    await proxy?.close()
  })

  test('API calls and carriers go through it, and visitors get in', async () => {
    await eventually('a visitor gets in', () => answers(agent))
    expect(proxy.requests).toContain(`POST ${far.api}/v1/leases 200`)
    expect(proxy.requests).toContainEqual(expect.stringMatching(/^CONNECT relay\.ptun\.test:\d+ 200$/))
  })

  test('its tunnels are cut: a connected visitor goes on, by a resumed session', async () => {
    const socket = await openWire(agent)
    expect(await echoes(socket, 'before')).toBe('before')
    proxy.cut()
    expect(await echoes(socket, 'after')).toBe('after')
    socket.destroy()
  })

  test('it silently forgets its tunnels: liveness notices, and the visitor goes on by others', async () => {
    const socket = await openWire(agent)
    expect(await echoes(socket, 'before')).toBe('before')
    proxy.forget()
    expect(await echoes(socket, 'after')).toBe('after')
    socket.destroy()
  })

  test('it refuses: the error shows the proxy and its answer, and never the password', async () => {
    const from = agent.events.items.length
    proxy.status = 403
    proxy.cut()
    const lost = await agent.waitFor('relay.lost', { from })
    expect(codeOf(lost.problem), 'the first word on it').toBe('PT-6035')
    proxy.status = undefined
    await eventually('a visitor gets in', () => answers(agent))
    expect(JSON.stringify(agent.events.items)).not.toMatch(/top.{0,3}secret/)
  })
})

describe('an agent behind a proxy that is reached by TLS', () => {
  let proxy: ConnectProxy
  let front: Server
  let address: string
  let trusted: string

  beforeAll(async () => {
    proxy = await startConnectProxy({ names, user })
    const identity = await selfSignedIdentity(join(folder, 'tls-proxy'), {
      names: ['localhost'],
      nowMs: Date.now(),
    })
    trusted = join(folder, 'tls-proxy.pem')
    writeFileSync(trusted, identity.certificate)
    front = await startTlsFront(identity, proxy.port)
    address = `https://${signIn}localhost:${portOf(front)}`
  })
  afterAll(async () => {
    await proxy?.close()
    await new Promise((resolve) => front.close(resolve))
  })

  test('API calls and carriers go through it, its certificate checked for its own name', async () => {
    const env = { HTTP_PROXY: address, HTTPS_PROXY: address, NODE_EXTRA_CA_CERTS: trusted }
    const agent = await startAgent(far, tunnels(), { env })
    await eventually('a visitor gets in', () => answers(agent))
    const socket = await openWire(agent)
    expect(await echoes(socket, 'hello')).toBe('hello')
    socket.destroy()
    expect(proxy.requests).toContain(`POST ${far.api}/v1/leases 200`)
    expect(proxy.requests).toContainEqual(expect.stringMatching(/^CONNECT relay\.ptun\.test:\d+ 200$/))
    expect(JSON.stringify(agent.events.items)).not.toMatch(/top.{0,3}secret/)
    await agent.stop()
  })

  test('an untrusted certificate is reported as such, and so is a proxy without TLS', async () => {
    const said = await askWhoami(far, { HTTP_PROXY: address })
    expect(said).toContain('PT-6033')
    expect(said).toMatch(/has no certificate we trust/)
    const plain = await askWhoami(far, { HTTP_PROXY: `https://localhost:${proxy.port}` })
    expect(plain).toContain('PT-6033')
    expect(plain).toContain(`https://localhost:${proxy.port} (HTTP_PROXY)`)
  })
})

describe('ptun behind a proxy that refuses', () => {
  test.each<[what: string, address: (port: number) => string, code: string]>([
    ['without a user', (port) => `http://127.0.0.1:${port}`, 'PT-6034'],
    ['at a port where none is', () => 'http://127.0.0.1:9', 'PT-6033'],
    ['of an unknown kind', () => 'ftp://u:topsecret@127.0.0.1:9', 'PT-6032'],
  ])('%s', async (_what, address, code) => {
    const proxy = await startConnectProxy({ names, user })
    const said = await askWhoami(far, { HTTP_PROXY: address(proxy.port) })
    expect(said).toContain(code)
    expect(said).not.toContain('topsecret')
    await proxy.close()
  })
})

describe('an https server behind a proxy', () => {
  let front: Server
  let proxy: ConnectProxy
  let certificate: string
  let api: string

  beforeAll(async () => {
    const identity = await selfSignedIdentity(folder, { names: [apiHost], nowMs: Date.now() })
    certificate = join(folder, 'front.pem')
    writeFileSync(certificate, identity.certificate)
    front = await startTlsFront(identity, Number(new URL(service.api).port))
    api = `https://${apiHost}:${portOf(front)}`
    proxy = await startConnectProxy({ names, user })
  })
  afterAll(async () => {
    await proxy?.close()
    await new Promise((resolve) => front.close(resolve))
  })

  test('is reached by CONNECT, its certificate checked', async () => {
    const env = { https_proxy: `http://${signIn}127.0.0.1:${proxy.port}`, NODE_EXTRA_CA_CERTS: certificate }
    expect(await askWhoami({ ...far, api }, env)).toContain('"event":"me"')
    expect(proxy.requests).toEqual([`CONNECT ${new URL(api).host} 200`])
  })

  test('an untrusted certificate is reported as the proxy’s', async () => {
    const env = { https_proxy: `http://${signIn}127.0.0.1:${proxy.port}` }
    expect(await askWhoami({ ...far, api }, env)).toContain('PT-6037')
  })
})

describeWith(['microsocks'], 'an agent behind a SOCKS proxy', () => {
  let local: Service
  beforeAll(async () => {
    local = await startStandaloneService()
  })
  afterAll(() => local?.stop())

  test.each(breadthOf(['socks5', 'socks5h'], ['socks5h']))(
    '%s, named in ptun.yaml, with a user',
    async (scheme) => {
      const [port = 0] = await freePorts(1)
      const args = ['-i', '127.0.0.1', '-p', String(port), '-u', user.name, '-P', user.password]
      const socks = await startProgram(programPath('microsocks'), args)
      await eventually('microsocks listens', () => listens(port))
      const proxy = `${scheme}://${signIn}127.0.0.1:${port}`
      const name = `by-${scheme}`
      const agent = await startAgent(local, { [name]: { kind: 'http', upstream: web.port } }, { proxy })
      const url = await agent.online(name)
      await eventually(
        'a visitor gets in',
        async () => (await visit(local, `${url}/hello`)).status === 200 || undefined,
      )
      expect((await agent.waitFor('agent.started')).proxy).toBe(`${scheme}://127.0.0.1:${port}`)
      expect(textOf(socks, 'stderr')).toMatch(/connected to (localhost|127\.0\.0\.1|::1):/)
      const from = agent.events.items.length
      await socks.stop('SIGKILL')
      await eventually('the loss says whose it is', async () =>
        agent.events.items
          .slice(from)
          .find(({ event, problem }) => event === 'relay.lost' && codeOf(problem) === 'PT-6033'),
      )
      await agent.stop()
    },
  )
})

/** TLS in front of a port of this machine. */
async function startTlsFront({ certificate, key }: TlsIdentity, port: number): Promise<Server> {
  const front = createServer({ cert: certificate, key: key.reveal() }, (near) => {
    const back = connect(port, '127.0.0.1')
    for (const socket of [near, back]) socket.on('error', () => undefined)
    near.pipe(back)
    back.pipe(near)
  })
  front.on('tlsClientError', () => undefined)
  await listening(front)
  return front
}

function codeOf(problem: unknown): unknown {
  return (problem as { readonly code?: unknown } | undefined)?.code
}

async function listens(port: number): Promise<true | undefined> {
  try {
    ;(await dial({ host: '127.0.0.1', port })).destroy()
    return true
  } catch {
    return undefined
  }
}

/** The output of `ptun whoami --json`. */
async function askWhoami(
  { api, key }: { readonly api: string; readonly key: string },
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const home = agentHome()
  const keyed = { ...privateFolders(home), PTUN_SERVER: api, PTUN_KEY: key, ...env }
  const { stdout } = await runProgram('node', [ptun, 'whoami', '--json'], { env: keyed })
  rmSync(home, { recursive: true, force: true })
  return stdout
}
