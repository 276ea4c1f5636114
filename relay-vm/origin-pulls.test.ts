/** Names whose visitors have to show the certificate of the proxy in front, against clients of every other kind. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { readOriginPulls } from './origin-pulls.ts'
import { makeSelfSigned } from './self-signed.ts'
import { type ClientIdentity, type Cloudflare, makeCloudflare } from './testing/client-certificates.ts'
import { makeTestControl, type TestControl } from './testing/test-control.ts'
import { ownName, TestBench } from './testing/test-relay.ts'

const [pulled, open] = ['a.tunnels.test', 'b.tunnels.test']
let cloudflare: Cloudflare
let served: Awaited<ReturnType<typeof makeSelfSigned>>
const certificateOf = (host: string) => ({
  host,
  hosts: [host],
  version: 1,
  chain: served.certificate,
  key: served.key.reveal(),
})
let control: TestControl
let bench: TestBench

beforeAll(async () => {
  cloudflare = await makeCloudflare()
  served = await makeSelfSigned([pulled, open], Date.now())
})
beforeEach(async () => {
  control = await makeTestControl()
  // Names have certificates of their own, and relays of a cell share the keys of their sessions.
  const { sync } = control
  const tls = { thumbprint: 'thumbprint', ticketSecret: 'secret' }
  control.sync = async (...given) => ({ ...(await sync(...given)), tls })
  control.certificates = async (hosts) =>
    hosts.filter((host) => host === pulled || host === open).map(certificateOf)
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

async function start(names: readonly string[] | undefined, changes: Record<string, unknown> = {}) {
  const caFile = join(bench.dataDir, 'ca.pem')
  await writeFile(caFile, cloudflare.ca)
  const { ports } = await bench.startRelay({ originPulls: { caFile, ...(names && { names }) }, ...changes })
  const upstreamPort = await bench.startUpstream((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'))
    socket.on('end', () => socket.end())
  })
  const [a, b] = await Promise.all([pulled, open].map((host) => control.ticket({ endpoint: `host:${host}` })))
  const agent = await bench.dial(ports, { ticket: a as string, upstreamPort })
  await agent.bind(1, a as string)
  await agent.bind(2, b as string)
  const ca = [served.certificate, control.requests.at(-1)?.boot.agentAddress.certificate ?? '']
  // Without a certificate the relay shows its own, which this client does not know.
  await vi.waitFor(
    async () => {
      for (const servername of [pulled, open]) {
        const options = { ...cloudflare.proxy, ca: served.certificate }
        const socket = connectTls({ port: ports.tlsPort, host: '127.0.0.1', servername, ...options })
        await once(socket, 'secureConnect')
        socket.destroy()
      }
    },
    { timeout: 20_000 },
  )
  const visit = (servername: string, options: ConnectionOptions = {}, host = servername) =>
    ask(connectTls({ port: ports.tlsPort, host: '127.0.0.1', servername, ca, ...options }), host)
  const plain = async (host: string, path = '/') => {
    const socket = connect(ports.httpPort, '127.0.0.1')
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    return firstWords(socket)
  }
  return { ...ports, agent, ca, visit, plain }
}

/** The status that a client gets, or why it gets none. */
async function ask(socket: TLSSocket, host: string): Promise<string> {
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  try {
    return /^HTTP\/1\.1 (\d+)/.exec(await firstWords(socket))?.[1] ?? 'closed'
  } catch (error) {
    return String(error)
  } finally {
    socket.destroy()
  }
}

/** The first bytes; an upstream keeps its connection. */
function firstWords(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (bytes) => resolve(String(bytes)))
    socket.once('error', reject)
    socket.once('close', () => resolve(''))
  })
}

async function refused(adminPort: number): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  return Number(/^ptun_refused_total\{tunnel="",code="PT-4123"\} (\d+)$/m.exec(metrics)?.[1] ?? 0)
}

describe('a name that demands the certificate', () => {
  test('the proxy is served, a visitor without one gets an alert, and other names serve both', async () => {
    const { visit, adminPort } = await start([pulled])
    expect(await visit(pulled, cloudflare.proxy)).toBe('200')
    expect(await visit(pulled)).toMatch(/alert certificate required/)
    expect(await visit(pulled, { maxVersion: 'TLSv1.2' })).toMatch(/alert handshake failure/)
    expect(await visit(open)).toBe('200')
    expect(await visit(open, cloudflare.proxy)).toBe('200')
    expect(await refused(adminPort)).toBe(2)
  })

  test('no other certificate is as good', async () => {
    const { visit, adminPort } = await start([pulled])
    const others = Object.entries(cloudflare.others) as readonly [string, ClientIdentity][]
    for (const [name, identity] of others)
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
        expect(await visit(pulled, { ...identity, maxVersion }), `${name} ${maxVersion}`).not.toBe('200')
    expect(await refused(adminPort)).toBe(2 * others.length)
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '%s: a session of another name is not resumed there',
    async (maxVersion) => {
      const { tlsPort, ca, visit } = await start([pulled])
      const socket = connectTls({ port: tlsPort, host: '127.0.0.1', servername: open, ca, maxVersion })
      const told = once(socket, 'session')
      socket.write(`GET / HTTP/1.1\r\nHost: ${open}\r\n\r\n`)
      const [session] = await told
      socket.destroy()
      const again = connectTls({
        port: tlsPort,
        host: '127.0.0.1',
        servername: open,
        ca,
        maxVersion,
        session,
      })
      await once(again, 'secureConnect')
      expect(again.isSessionReused(), 'the session is good where it was made').toBe(true)
      again.destroy()
      expect(await visit(pulled, { session, maxVersion })).not.toBe('200')
    },
  )

  test('its host is not served on a connection of another name, by plain HTTP or to a proxy without TLS', async () => {
    const { visit, plain, agent } = await start([pulled], { trustedProxies: ['127.0.0.1'] })
    expect(await visit(open, {}, pulled)).toBe('421')
    expect(await plain(pulled, '/x?y')).toMatch(
      /^HTTP\/1.1 308 [\s\S]*Location: https:\/\/a\.tunnels\.test\/x\?y\r\n/i,
    )
    expect(agent.visitors).toHaveLength(0)
    expect(await plain(open)).toMatch(/^HTTP\/1.1 200 /)
  })
})

test('by HTTP/2 a later request for its host is refused too', async () => {
  const { tlsPort, ca } = await start([pulled], { trustedProxies: ['127.0.0.1'] })
  const session = connectHttp2(`https://${open}`, {
    createConnection: () =>
      connectTls({ port: tlsPort, host: '127.0.0.1', servername: open, ca, ALPNProtocols: ['h2'] }),
  })
  const statuses: number[] = []
  for (const authority of [open, pulled, open]) {
    const stream = session.request({ ':authority': authority, ':path': '/' })
    const [headers] = await once(stream, 'response')
    statuses.push(headers[':status'])
    stream.close()
  }
  session.destroy()
  expect(statuses).toEqual([200, 421, 200])
})

test('without names it is all but the relay’s own', async () => {
  const { visit, plain } = await start(undefined)
  expect(await visit(open)).toMatch(/alert certificate required/)
  expect(await visit(open, cloudflare.proxy)).toBe('200')
  expect(await visit(ownName)).toBe('404')
  expect(await plain(ownName)).toMatch(/^HTTP\/1.1 404 /)
})

describe('the CA file', () => {
  const read = async (text: string, names?: string[]) => {
    const caFile = join(bench.dataDir, 'ca.pem')
    await writeFile(caFile, text)
    const face = { names: [ownName], agentSni: 'r1.test' }
    return readOriginPulls({ originPulls: { caFile, ...(names && { names }) }, public: face as never })
  }

  test('a pattern fits the names below it, and no other', async () => {
    const pulls = await read(cloudflare.ca, ['*.tunnels.test', 'app.example.com'])
    const demanded = ['a.tunnels.test', 'b.a.tunnels.test', 'app.example.com']
    const others = ['tunnels.test', 'evil-tunnels.test', 'x.app.example.com', 'example.com']
    expect([...demanded, ...others].filter((name) => pulls?.demands(name))).toEqual(demanded)
  })

  test.each([
    ['is empty', ''],
    ['has a key only', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
    ['is broken', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
  ])('a file that %s ends the start with its code', async (_, text) => {
    await expect(read(text)).rejects.toMatchObject({ key: 'relay.certificate' })
  })

  test('so does a certificate that is no CA’s, and a file that is not there', async () => {
    await expect(read(cloudflare.proxy.cert)).rejects.toMatchObject({ key: 'relay.certificate' })
    const gone = { originPulls: { caFile: join(bench.dataDir, 'none.pem') }, public: { names: [] } as never }
    await expect(readOriginPulls(gone)).rejects.toMatchObject({ key: 'relay.certificate' })
  })
})
