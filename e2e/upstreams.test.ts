/** What upstreams need: a Host that they know, TLS, unix sockets, a password in front. With real programs. */

import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createPlainServer } from 'node:http'
import { createSecureServer as createHttp2Server, createServer as createPlainHttp2Server } from 'node:http2'
import { createServer as createSecureServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { selfSignedIdentity } from '@porttunneler/relay-vm/certificate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type Agent, agentHome, privateFolders, ptun, startAgent } from './harness/agent.ts'
import { EventLog, within } from './harness/events.ts'
import { keepAlivePool, visit } from './harness/http.ts'
import { runProgram } from './harness/programs.ts'
import { type Service, visitorAddress } from './harness/service.ts'
import { listening, portOf } from './harness/sockets.ts'
import { startStandaloneService } from './harness/standalone.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'
import { startVite, type Vite } from './harness/vite.ts'
import { describeWith, programPath } from './requirements.ts'

let service: Service
/** A user id that this machine does not know. */
const stranger = 54_321
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ptun-upstreams-'))
  // Dev servers allow *.localhost by themselves.
  service = await startStandaloneService({ env: { PORTTUNNELER_DOMAIN: 'tunnels.test' } })
})
afterAll(async () => {
  await service?.stop()
  rmSync(folder, { recursive: true, force: true })
})

function openWebSocket(
  url: string,
  path: string,
  options: { protocol?: string; headers?: Record<string, string> },
) {
  const { host, hostname } = new URL(url)
  const { host: address, port } = visitorAddress(service, url)
  const socket = new WebSocket(`ws://${hostname}:${port}${path}`, options.protocol ?? [], {
    headers: { host, ...options.headers },
    lookup: (_name, _options, done) => done(null, [{ address, family: 4 }]),
  } as ConstructorParameters<typeof WebSocket>[2])
  const messages = new EventLog<string>()
  socket.on('message', (data: Buffer) => messages.push(data.toString()))
  socket.on('error', (error) => messages.push(`error ${error.message}`))
  socket.on('unexpected-response', (_request, response) => messages.push(`status ${response.statusCode}`))
  return { socket, messages }
}

describe("Vite's dev server", () => {
  let vite: Vite
  let agent: Agent

  beforeAll(async () => {
    vite = await startVite()
    const tunnel = { kind: 'http', upstream: `127.0.0.1:${vite.port}` } as const
    agent = await startAgent(service, { plain: tunnel, rewritten: { ...tunnel, hostHeader: 'rewrite' } })
  })
  afterAll(async () => {
    await agent?.stop()
    await vite?.close()
  })

  test('refuses the public Host, and serves its pages with hostHeader: rewrite', async () => {
    const refused = await visit(service, await agent.online('plain'))
    expect(refused.status).toBe(403)
    const pool = keepAlivePool()
    const url = await agent.online('rewritten')
    const answers = []
    for (const path of ['/', '/main.js', '/@vite/client'])
      answers.push(await visit(service, url + path, { pool }))
    pool.destroy()
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(answers.map(({ localPort }) => localPort)).size).toBe(1)
    expect(answers[0]?.body).toContain('/@vite/client')
  })

  test('tells a browser through its WebSocket that a file has changed', async () => {
    const url = await agent.online('rewritten')
    const { body } = await visit(service, `${url}/@vite/client`)
    const token = /wsToken = "([^"]+)"/.exec(body)?.[1]
    // As a browser does first, because Vite watches only requested files.
    await visit(service, url)
    await visit(service, `${url}/main.js`)
    const { socket, messages } = openWebSocket(url, `/?token=${token}`, {
      protocol: 'vite-hmr',
      headers: { origin: url },
    })
    await messages.waitFor((text) => text.includes('"connected"'), { what: 'the WebSocket of Vite' })
    vite.edit('document.title = "second"')
    await messages.waitFor((text) => /"type":"(full-reload|update)"/.test(text), {
      what: 'the news of the change',
    })
    socket.terminate()
  })
})

describe('an upstream that speaks HTTPS', () => {
  type Seen = { name: string | false | null; alpn: string | false | null; host: string | undefined }
  /** By path: health checks of other tunnels arrive at any time, and each visit asks for a path of its own. */
  const seen = new Map<string | undefined, Seen>()
  const closers: (() => void)[] = []
  let agent: Agent

  async function startSecure(name: string, nowMs: number) {
    const { certificate, key } = await selfSignedIdentity(mkdtempSync(join(folder, 'tls-')), {
      names: [name],
      nowMs,
    })
    const ca = join(folder, `${name}-${nowMs}.pem`)
    writeFileSync(ca, certificate)
    const options = { cert: certificate, key: key.reveal(), ALPNProtocols: ['http/1.1'] }
    const server = createSecureServer(options, (request, response) => {
      const { servername, alpnProtocol } = request.socket as TLSSocket & { servername: string | false | null }
      seen.set(request.url, { name: servername, alpn: alpnProtocol, host: request.headers.host })
      request.pipe(response)
    })
    const sockets = new WebSocketServer({ server })
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`${data}`)))
    await listening(server)
    closers.push(() => {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      server.close()
    })
    return { upstream: `https://localhost:${portOf(server)}`, ca }
  }

  async function startHttp2() {
    const { certificate, key } = await selfSignedIdentity(mkdtempSync(join(folder, 'h2-')), {
      names: ['app.test'],
      nowMs: Date.now(),
    })
    const ca = join(folder, 'h2.pem')
    writeFileSync(ca, certificate)
    const server = createHttp2Server({ cert: certificate, key: key.reveal() }, (request, response) => {
      const socket = request.stream.session?.socket as (TLSSocket & { servername: string }) | undefined
      seen.set(request.url, { name: socket?.servername ?? null, alpn: 'h2', host: request.authority })
      request.pipe(response)
    })
    // Nobody offers it what it speaks.
    server.on('unknownProtocol', (socket) => socket.destroy())
    await listening(server)
    closers.push(() => server.close())
    return { upstream: `https://localhost:${portOf(server)}`, ca }
  }

  beforeAll(async () => {
    const good = await startSecure('localhost', Date.now())
    const modern = await startHttp2()
    const named = await startSecure('app.test', Date.now())
    const old = await startSecure('localhost', Date.now() - 20 * 365 * 86_400_000)
    const plain = createPlainServer((_request, response) => void response.end('plain'))
    await listening(plain)
    closers.push(() => plain.close())
    const kind = 'http' as const
    const health = { kind, path: '/', everySeconds: 1 }
    agent = await startAgent(service, {
      unknown: { kind, upstream: good.upstream },
      insecure: { kind, upstream: good.upstream, insecureUpstream: true },
      trusted: { kind, upstream: good.upstream, upstreamCa: good.ca, health },
      named: { kind, upstream: named.upstream, upstreamCa: named.ca, hostHeader: 'app.test' },
      misnamed: { kind, upstream: named.upstream, upstreamCa: named.ca },
      old: { kind, upstream: old.upstream, upstreamCa: old.ca },
      cleartext: { kind, upstream: `https://localhost:${portOf(plain)}`, insecureUpstream: true },
      modern: {
        ...{ kind, upstream: modern.upstream, upstreamCa: modern.ca, hostHeader: 'app.test', health },
        upstreamProtocol: 'h2',
      },
      modernonly: { kind, upstream: modern.upstream, insecureUpstream: true },
      outdated: { kind, upstream: good.upstream, insecureUpstream: true, upstreamProtocol: 'h2' },
    })
  })
  afterAll(async () => {
    await agent?.stop()
    for (const close of closers) close()
  })

  test.each([
    ['unknown', 'PT-6047'],
    ['misnamed', 'PT-6049'],
    ['old', 'PT-6048'],
    ['cleartext', 'PT-6050'],
    ['modernonly', 'PT-6061'],
    ['outdated', 'PT-6060'],
  ])('%s: the visitor gets a 502 page with %s', async (name, code) => {
    const { status, body } = await visit(service, await agent.online(name))
    expect({ status, body }).toEqual({ status: 502, body: expect.stringContaining(code) })
    await agent.waitFor('upstream.failed', { tunnel: name })
  })

  test('HTTP/2 inside: requests and long bodies pass under the Host that is fixed', async () => {
    const body = Buffer.alloc(3_000_000, 'x')
    const url = `${await agent.online('modern')}/long`
    const answer = await visit(service, url, { method: 'POST', body })
    expect({ status: answer.status, bytes: answer.body.length }).toEqual({ status: 200, bytes: body.length })
    expect(seen.get('/long')).toEqual({ name: 'app.test', alpn: 'h2', host: 'app.test' })
    await agent.waitFor('upstream.healthy', { tunnel: 'modern' })
  })

  test.each(['trusted', 'insecure'])('%s: requests and long bodies pass', async (name) => {
    const body = Buffer.alloc(3_000_000, 'x')
    const answer = await visit(service, `${await agent.online(name)}/${name}`, { method: 'POST', body })
    expect({ status: answer.status, bytes: answer.body.length }).toEqual({ status: 200, bytes: body.length })
    expect(seen.get(`/${name}`)).toMatchObject({ name: 'localhost', alpn: 'http/1.1' })
  })

  test('a fixed Host is also the name that the certificate is checked for', async () => {
    expect(await visit(service, `${await agent.online('named')}/named`)).toMatchObject({ status: 200 })
    expect(seen.get('/named')).toEqual({ name: 'app.test', alpn: 'http/1.1', host: 'app.test' })
  })

  test('its health is checked over TLS', async () => {
    await agent.waitFor('upstream.healthy', { tunnel: 'trusted' })
  })

  test('WebSockets pass', async () => {
    const { socket, messages } = openWebSocket(await agent.online('trusted'), '/', {})
    socket.once('open', () => socket.send('over TLS'))
    await messages.waitFor((text) => text === 'over TLS', { what: 'the echo' })
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.close(1000)
    expect(await within(closed, 'the WebSocket closes')).toBe(1000)
  })
})

describe('an upstream at a unix socket', () => {
  let agent: Agent
  let path: string
  const server = createPlainServer((request, response) => {
    response.setHeader('x-host', request.headers.host ?? '')
    request.pipe(response)
  })
  const modern = createPlainHttp2Server((request, response) => request.pipe(response))

  beforeAll(async () => {
    path = join(folder, 'app.sock')
    await new Promise<void>((resolve) => {
      server.listen(path, resolve)
    })
    await new Promise<void>((resolve) => {
      modern.listen(`${path}.h2`, resolve)
    })
    const kind = 'http' as const
    agent = await startAgent(service, {
      socket: {
        kind,
        upstream: `unix:${path}`,
        hostHeader: 'rewrite',
        health: { kind, path: '/', everySeconds: 1 },
      },
      missing: { kind, upstream: `unix:${path}.none` },
      modern: { kind, upstream: `unix:${path}.h2`, upstreamProtocol: 'h2c' },
    })
  })
  afterAll(async () => {
    await agent?.stop()
    server.closeAllConnections()
    server.close()
    modern.close()
  })

  test('gets them in HTTP/2 if it speaks that', async () => {
    const answer = await visit(service, await agent.online('modern'), {
      method: 'POST',
      body: 'over a socket',
    })
    expect(answer).toMatchObject({ status: 200, body: 'over a socket' })
  })

  test('gets requests like any other, and its health is checked', async () => {
    const body = Buffer.alloc(3_000_000, 'y')
    const answer = await visit(service, await agent.online('socket'), { method: 'POST', body })
    expect({ status: answer.status, bytes: answer.body.length }).toEqual({ status: 200, bytes: body.length })
    expect(answer.headers['x-host']).toBe('localhost')
    await agent.waitFor('upstream.healthy', { tunnel: 'socket' })
  })

  test('that is missing gives the visitor a page with its code', async () => {
    const { status, body } = await visit(service, await agent.online('missing'))
    expect({ status, body }).toEqual({ status: 502, body: expect.stringContaining('PT-6051') })
  })

  test('that the user of ptun may not write to gives one too', async () => {
    const locked = join(folder, 'locked.sock')
    const closed = createPlainServer()
    await new Promise<void>((resolve) => {
      closed.listen(locked, resolve)
    })
    chmodSync(locked, 0)
    const home = agentHome()
    // No file mode keeps root out.
    const isRoot = process.getuid?.() === 0
    if (isRoot) chownSync(home, stranger, stranger)
    const user = isRoot ? { uid: stranger, gid: stranger } : {}
    const tunnel = { locked: { kind: 'http', upstream: `unix:${locked}` } } as const
    const other = await startAgent(service, tunnel, { home, ...user })
    const { status, body } = await visit(service, await other.online('locked'))
    expect({ status, body }).toEqual({ status: 502, body: expect.stringContaining('PT-6052') })
    expect(await other.waitFor('upstream.failed', { tunnel: 'locked' })).toMatchObject({
      problem: { code: 'PT-6052', detail: `unix:${locked} answered EACCES` },
    })
    await other.stop()
    closed.close()
    rmSync(home, { recursive: true, force: true })
  })
})

describe('requests and answers that the agent changes', () => {
  let upstream: HttpUpstream
  let agent: Agent

  beforeAll(async () => {
    upstream = await startHttp()
    agent = await startAgent(service, {
      edited: {
        kind: 'http',
        upstream: upstream.port,
        redirects: [{ from: '/old/*', to: '/new/*' }],
        requestHeaders: { remove: ['Cookie'], set: { 'X-Env': 'staging' } },
        responseHeaders: { set: { 'X-Frame-Options': 'DENY' } },
        hsts: true,
        policy: { bodyBytesMax: 10, deny: ['192.0.2.1'] },
      },
    })
  })
  afterAll(async () => {
    await agent?.stop()
    await upstream?.close()
  })

  test('headers both ways on a kept connection; then a redirect, which the upstream does not see', async () => {
    const pool = keepAlivePool()
    const url = await agent.online('edited')
    const first = await visit(service, `${url}/headers`, { pool, headers: { cookie: 'a=b' } })
    const second = await visit(service, `${url}/headers`, { pool })
    const before = upstream.requests.length
    const moved = await visit(service, `${url}/old/page?x=y`, { pool })
    pool.destroy()
    for (const { headers, body } of [first, second]) {
      expect(headers).toMatchObject({ 'x-frame-options': 'DENY' })
      expect(headers).not.toHaveProperty('strict-transport-security')
      expect(JSON.parse(body)).toMatchObject({ 'x-env': 'staging' })
      expect(JSON.parse(body)).not.toHaveProperty('cookie')
    }
    expect(second.localPort).toBe(first.localPort)
    expect(moved).toMatchObject({ status: 302, headers: { location: '/new/page?x=y' } })
    expect(upstream.requests.length).toBe(before)
  })

  test('its policy holds from the first visitor on, and the agent has said what was set', async () => {
    const url = await agent.online('edited')
    const { status, body } = await visit(service, `${url}/hello`, { method: 'POST', body: 'x'.repeat(11) })
    expect({ status, code: JSON.parse(body).code }).toEqual({ status: 413, code: 'PT-4020' })
    expect(await agent.waitFor('tunnel.policy', { tunnel: 'edited' })).toMatchObject({
      changed: ['deny', 'bodyBytesMax'],
    })
  })
})

describe('a password in front', () => {
  const home = agentHome()
  let upstream: HttpUpstream
  let agent: Agent
  let url: string

  beforeAll(async () => {
    upstream = await startHttp()
    const authFile = join(folder, 'logins.txt')
    writeFileSync(authFile, '# visitors\nbob:has a:colon\n', { mode: 0o600 })
    const tunnel = { kind: 'http', upstream: upstream.port, auth: ['alice:open sesame'], authFile } as const
    agent = await startAgent(service, { locked: tunnel }, { home })
    url = await agent.online('locked')
  })
  afterAll(async () => {
    await agent?.stop()
    await upstream?.close()
  })

  const basic = (login: string) => ({ authorization: `Basic ${Buffer.from(login).toString('base64')}` })

  test('without one the visitor is asked, and the upstream gets nothing', async () => {
    const before = upstream.requests.length
    const answer = await visit(service, `${url}/hello`, { headers: { accept: 'text/html' } })
    expect(answer).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="locked", charset="UTF-8"' },
    })
    expect(answer.body).toContain('PT-6053')
    expect({ requests: upstream.requests.length - before, open: upstream.connections.size }).toEqual({
      requests: 0,
      open: 0,
    })
  })

  test('a browser asks for it, gets in, and keeps its connection; the upstream sees no password', async () => {
    const pool = keepAlivePool()
    const first = await visit(service, `${url}/hello`, { pool })
    const answers = []
    for (const login of ['alice:open sesame', 'bob:has a:colon', 'alice:open sesame'])
      answers.push(await visit(service, `${url}/headers`, { pool, headers: basic(login) }))
    const last = await visit(service, `${url}/hello`, { pool })
    pool.destroy()
    expect([first, ...answers, last].map(({ status }) => status)).toEqual([401, 200, 200, 200, 401])
    expect(new Set([...answers, last].map(({ localPort }) => localPort)).size).toBe(1)
    for (const { body } of answers) expect(JSON.parse(body)).not.toHaveProperty('authorization')
  })

  test('a WebSocket opens with the password only', async () => {
    const stranger = openWebSocket(url, '/ws', {})
    await stranger.messages.waitFor((text) => text === 'status 401', { what: 'the refusal' })
    const { socket, messages } = openWebSocket(url, '/ws', { headers: basic('alice:open sesame') })
    socket.once('open', () => socket.send('hello'))
    await messages.waitFor((text) => text === 'hello', { what: 'the echo' })
    socket.terminate()
  })

  test('ptun status mentions it, and never the password', async () => {
    const { stdout } = await runProgram('node', [ptun, 'status', '--json'], {
      env: { ...privateFolders(home), PTUN_SERVER: service.api, PTUN_KEY: service.key },
    })
    expect(stdout).toContain('asks for a password, 2 users')
    expect(stdout).not.toContain('sesame')
  })

  describeWith(['curl'], 'curl', () => {
    const curl = (...options: string[]) => {
      const { host, port } = visitorAddress(service, url)
      const { hostname } = new URL(url)
      const at = `${url}/echo`
      return runProgram(programPath('curl'), [
        '-sS',
        '--resolve',
        `${hostname}:${port}:${host}`,
        ...options,
        at,
      ])
    }

    test('curl -u gets in, also when it has to be asked first and has a long body', async () => {
      const body = join(folder, 'body')
      writeFileSync(body, 'b'.repeat(2_000_000))
      for (const way of ['--basic', '--anyauth']) {
        const { stdout } = await curl('-u', 'alice:open sesame', way, '--data-binary', `@${body}`)
        expect(stdout).toHaveLength(2_000_000)
      }
      const { stdout } = await curl(
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        '-u',
        'alice:wrong',
        '--data-binary',
        `@${body}`,
      )
      expect(stdout).toBe('401')
    })
  })

  test('ten wrong passwords from one address, and then the right one has to wait too', async () => {
    let status = 0
    for (let i = 0; i < 12 && status !== 429; i++)
      ({ status } = await visit(service, `${url}/hello`, { headers: basic(`alice:guess ${i}`) }))
    expect(status).toBe(429)
    const late = await visit(service, `${url}/hello`, { headers: basic('alice:open sesame') })
    expect(late.status).toBe(429)
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(0)
    expect(late.body).toContain('PT-6054')
  })
})
