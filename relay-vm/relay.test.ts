import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { codes } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { agent, makeTestControl, type TestControl } from './testing/test-control.ts'
import { ownName, readAll, TestBench } from './testing/test-relay.ts'

let control: TestControl
let bench: TestBench

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

const echo = (socket: Socket) => void socket.pipe(socket)
const visit = (port: number) => connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
/** Sends `text`, half-closes, and reads the answer. */
async function ask(port: number, text: string): Promise<string> {
  const socket = visit(port)
  socket.end(text)
  return await readAll(socket)
}
/** The code with which a connection fails. */
async function failure(socket: Socket): Promise<string | undefined> {
  const [error] = (await once(socket, 'error')) as [Error & { code?: string }]
  return error.code
}

test('the metrics port answers only to its own names, whatever DNS told a browser', async () => {
  const at = { host: '127.0.0.1', port: 0 }
  const listen = { tls: at, http: at, tcpHost: at.host, admin: { ...at, names: ['relay-1.internal'] } }
  const { ports } = await bench.startRelay({ listen })
  const statusOf = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = {
        port: ports.adminPort,
        host: '127.0.0.1',
        path: '/metrics',
        headers: { host },
        agent: false,
      }
      get(asked, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      }).on('error', reject)
    })
  for (const host of ['127.0.0.1', 'localhost:8490', 'relay-1.internal'])
    expect(await statusOf(host)).toBe(200)
  for (const host of ['evil.example', 'relay-1.internal.evil.example']) expect(await statusOf(host)).toBe(421)
})

test('figures of a file are added to the metrics, and its loss takes none of the relay away', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pt-figures-'))
  try {
    const at = { host: '127.0.0.1', port: 0 }
    const figures = join(folder, 'figures.prom')
    const listen = { tls: at, http: at, tcpHost: at.host, admin: { ...at, figures } }
    const { ports } = await bench.startRelay({ listen })
    const metrics = async () => (await fetch(`http://127.0.0.1:${ports.adminPort}/metrics`)).text()
    expect(await metrics()).toMatch(/^ptun_sessions 0$/m)
    writeFileSync(figures, '# TYPE further gauge\nfurther 7\n')
    const both = await metrics()
    expect([/^ptun_sessions 0$/m, /^further 7$/m].map((line) => line.test(both))).toEqual([true, true])
    writeFileSync(figures, '#'.repeat(64 * 1024 + 1))
    expect(await metrics()).toMatch(/^ptun_sessions 0$/m)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

describe('relay: tcp tunnels', () => {
  test('a visitor of a leased port reaches the upstream, half-close included, and both are counted', async () => {
    const { ports } = await bench.startRelay()
    const upstreamPort = await bench.startUpstream(echo)
    const endpoint = `tcp:c1:${await freePort()}`
    const ticket = await control.ticket({ endpoint })
    const dialled = await bench.dial(ports, { ticket, upstreamPort })
    expect(await dialled.bind(1, ticket)).toBe(endpoint)
    expect(await ask(Number(endpoint.split(':')[2]), 'hello')).toBe('hello')
    const metrics = await (await fetch(`http://127.0.0.1:${ports.adminPort}/metrics`)).text()
    expect(metrics).toMatch(/ptun_tunnel_in_bytes_total\{tunnel="tun_[^"]+"\} 5\n/)
    expect(metrics).toMatch(/ptun_tunnel_out_bytes_total\{tunnel="tun_[^"]+"\} 5\n/)
    expect(metrics).toMatch(/ptun_connect_ms_count\{tunnel="tun_[^"]+"\} 1\n/)
  })

  test('a used-up share keeps new visitors out and cuts nobody; only a newer ticket grants more', async () => {
    const { ports } = await bench.startRelay()
    const upstreamPort = await bench.startUpstream(echo)
    const endpoint = `tcp:c1:${await freePort()}`
    const port = Number(endpoint.split(':')[2])
    const iat = Math.floor(control.nowMs() / 1000)
    const small = await control.ticket({ endpoint, shareBytes: 10, iat })
    const dialled = await bench.dial(ports, { ticket: small, upstreamPort })
    await dialled.bind(1, small)
    const open = visit(port)
    open.write('12345')
    await once(open, 'data')
    expect(await failure(visit(port))).toBe('ECONNRESET')
    // Sent again, it grants nothing.
    dialled.session.bind(2, small)
    await dialled.heard('bound', 2)
    expect(await failure(visit(port))).toBe('ECONNRESET')
    open.end('678')
    expect(await readAll(open), 'a connected visitor stays').toBe('678')
    const metrics = await (await fetch(`http://127.0.0.1:${ports.adminPort}/metrics`)).text()
    expect(metrics).toMatch(/ptun_refused_total\{tunnel="tun_[^"]+",code="PT-4119"\} 2\n/)
    dialled.session.bind(3, await control.ticket({ endpoint, shareBytes: 10, iat: iat + 1 }))
    await dialled.heard('bound', 3)
    expect(await ask(port, 'hello')).toBe('hello')
    expect(await failure(visit(port))).toBe('ECONNRESET')
    dialled.session.bind(4, await control.ticket({ endpoint, iat: iat + 2 }))
    await dialled.heard('bound', 4)
    expect(await ask(port, 'no limit any more')).toBe('no limit any more')
  })

  test('the port is shut before the first BIND and after the lease is revoked', async () => {
    const { ports } = await bench.startRelay()
    const port = await freePort()
    const endpoint = `tcp:c1:${port}`
    expect(await failure(visit(port))).toBe('ECONNREFUSED')
    const ticket = await control.ticket({ endpoint })
    const dialled = await bench.dial(ports, { ticket })
    await dialled.bind(1, ticket)
    const at = Date.now()
    control.commands.push({ id: 'c', kind: 'revoke', at, endpoint, epoch: 101, reason: 'released' })
    // An unknown key makes the relay sync at once.
    const [head = '', body, signature] = ticket.split('.')
    const stranger = `${btoa(atob(head).replace('k1', 'k2')).replaceAll('=', '')}.${body}.${signature}`
    dialled.session.bind(2, stranger)
    expect(await dialled.heard('unbound', 1)).toMatchObject({ code: 'PT-3014' })
    expect(await failure(visit(port))).toBe('ECONNREFUSED')
    dialled.session.bind(3, ticket)
    expect(await dialled.heard('unbound', 3)).toMatchObject({ code: 'PT-3014' })
  })

  test('the agent is told that its tunnel yielded to another', async () => {
    const { ports } = await bench.startRelay()
    const endpoint = `tcp:c1:${await freePort()}`
    const ticket = await control.ticket({ endpoint })
    const dialled = await bench.dial(ports, { ticket })
    await dialled.bind(1, ticket)
    const at = Date.now()
    control.commands.push({ id: 'c', kind: 'revoke', at, endpoint, epoch: 101, reason: 'displaced' })
    // An unknown key makes the relay sync at once.
    const [head = '', body, signature] = ticket.split('.')
    dialled.session.bind(
      2,
      `${btoa(atob(head).replace('k1', 'k2')).replaceAll('=', '')}.${body}.${signature}`,
    )
    expect(await dialled.heard('unbound', 1)).toMatchObject({ code: 'PT-2204' })
    dialled.session.bind(3, ticket)
    expect(await dialled.heard('unbound', 3)).toMatchObject({ code: 'PT-2204' })
  })

  test('while the agent is away visitors are reset at accept; it comes back to the same port', async () => {
    const { ports } = await bench.startRelay()
    const upstreamPort = await bench.startUpstream(echo)
    const port = await freePort()
    const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
    const first = await bench.dial(ports, { ticket, upstreamPort })
    await first.bind(1, ticket)
    const visitor = visit(port)
    visitor.write('a')
    await once(visitor, 'data')
    first.session.close('session.closed')
    expect(await failure(visitor)).toBe('ECONNRESET')
    expect(await failure(visit(port))).toBe('ECONNRESET')
    const second = await bench.dial(ports, { ticket, upstreamPort })
    await second.bind(1, ticket)
    expect(await ask(port, 'again')).toBe('again')
  })

  test('a port that another program holds refuses the BIND with its code, and the session goes on', async () => {
    const { ports } = await bench.startRelay()
    const taken = await bench.startUpstream(echo)
    const ticket = await control.ticket({ endpoint: `tcp:c1:${taken}` })
    const dialled = await bench.dial(ports, { ticket })
    dialled.session.bind(1, ticket)
    expect(await dialled.heard('unbound', 1)).toMatchObject({ code: 'PT-5007' })
    expect(dialled.session.state).toBe('open')
  })

  test('an upstream that is down resets the visitor and is counted as its reason', async () => {
    const { ports } = await bench.startRelay()
    const port = await freePort()
    const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
    const dialled = await bench.dial(ports, { ticket, upstreamPort: await freePort() })
    await dialled.bind(1, ticket)
    expect(await failure(visit(port))).toBe('ECONNRESET')
    const metrics = await (await fetch(`http://127.0.0.1:${ports.adminPort}/metrics`)).text()
    expect(metrics).toMatch(/ptun_refused_total\{tunnel="tun_[^"]+",code="PT-[0-9]{4}"\} 1\n/)
  })
})

describe('relay: takeover', () => {
  test('a higher epoch takes the endpoint, the loser is told, a lower one is refused', async () => {
    const { ports } = await bench.startRelay()
    const one = await bench.startUpstream((socket) => socket.end('one'))
    const two = await bench.startUpstream((socket) => socket.end('two'))
    const port = await freePort()
    const endpoint = `tcp:c1:${port}`
    const other = newId('agt', 2)
    const oldTicket = await control.ticket({ endpoint })
    const newTicket = await control.ticket({ endpoint, epoch: 101, agent: other })
    const loser = await bench.dial(ports, { ticket: oldTicket, upstreamPort: one })
    await loser.bind(1, oldTicket)
    const winner = await bench.dial(ports, { ticket: newTicket, upstreamPort: two, agentId: other })
    await winner.bind(1, newTicket)
    expect(await loser.heard('unbound', 1)).toMatchObject({ code: 'PT-3013' })
    expect(await ask(port, '')).toBe('two')
    loser.session.bind(2, oldTicket)
    expect(await loser.heard('unbound', 2)).toMatchObject({ code: 'PT-3013' })
  })

  test('at equal epoch the newest session of the same agent wins', async () => {
    const { ports } = await bench.startRelay()
    const one = await bench.startUpstream((socket) => socket.end('one'))
    const two = await bench.startUpstream((socket) => socket.end('two'))
    const port = await freePort()
    const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
    const older = await bench.dial(ports, { ticket, upstreamPort: one })
    await older.bind(1, ticket)
    const newer = await bench.dial(ports, { ticket, upstreamPort: two })
    await newer.bind(1, ticket)
    expect(await ask(port, '')).toBe('two')
    older.session.close('session.closed')
    await older.heard('closed')
    expect(await ask(port, '')).toBe('two')
  })
})

describe('relay: who is admitted', () => {
  test.each([
    ['of another agent', { agent: newId('agt', 9) }, 'ticket.invalid'],
    ['of another cell', { aud: 'c2' }, 'ticket.invalid'],
    ['long expired', { exp: 1_000 }, 'ticket.invalid'],
  ])('a HELLO with a ticket %s is refused', async (_title, claims, key) => {
    const { ports } = await bench.startRelay()
    const ticket = await control.ticket({ endpoint: 'tcp:c1:2000', ...claims })
    await expect(bench.dial(ports, { ticket, agentId: agent })).rejects.toMatchObject({ key })
  })

  test('TLS for foreign names, and connections without TLS, are closed and counted', async () => {
    const { ports } = await bench.startRelay()
    const at = { port: ports.tlsPort, host: '127.0.0.1' }
    await failure(connectTls({ ...at, servername: 'elsewhere.test' }))
    const plain = connectTcp(at)
    plain.end('GET / HTTP/1.1\r\n\r\n')
    await once(plain.resume(), 'close')
    const metrics = await (await fetch(`http://127.0.0.1:${ports.adminPort}/metrics`)).text()
    expect(metrics).toContain('ptun_refused_total{tunnel="",code="PT-4112"} 1')
    expect(metrics).toContain('ptun_refused_total{tunnel="",code="PT-4110"} 1')
  })

  test('two relays live in one process', async () => {
    const { ports } = await bench.startRelay()
    const other = await TestBench.make(control)
    const second = await other.startRelay()
    const ticket = await control.ticket({ endpoint: `tcp:c1:${await freePort()}` })
    await bench.dial(second.ports, { ticket })
    await other.close()
    expect((await fetch(`http://127.0.0.1:${ports.adminPort}/readyz`)).status).toBe(200)
  })
})

describe('relay: live figures', () => {
  test('a watcher sees its account and nobody else; any origin may ask', async () => {
    const { ports } = await bench.startRelay()
    const upstreamPort = await bench.startUpstream(echo)
    const port = await freePort()
    const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
    const dialled = await bench.dial(ports, { ticket, upstreamPort })
    await dialled.bind(1, ticket)
    await ask(port, 'hello')
    const url = `http://127.0.0.1:${ports.httpPort}/v1/live`
    const watch = async (of?: string) => {
      const response = await fetch(url, {
        headers: { authorization: `Bearer ${await control.watchTicket(of)}` },
        signal: AbortSignal.timeout(5_000),
      })
      expect(response.headers.get('access-control-allow-origin')).toBe('*')
      const reader = response.body!.getReader()
      const { value } = await reader.read()
      await reader.cancel()
      return JSON.parse(Buffer.from(value!).toString().replace('data: ', ''))
    }
    const { tunnels } = await watch()
    expect(Object.values(tunnels)).toMatchObject([{ in: 5, out: 5, opened: 1, attached: true }])
    expect((await watch(newId('acc', 7))).tunnels).toEqual({})
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(url, { headers: { authorization: `Bearer ${ticket}` } })).status).toBe(401)
    const preflight = await fetch(url, { method: 'OPTIONS' })
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization')
  })

  test('a watch ticket and the stream that it opened are valid to its last second and no longer', async () => {
    const { ports } = await bench.startRelay()
    const watch = async (exp: number) =>
      fetch(`http://127.0.0.1:${ports.httpPort}/v1/live`, {
        headers: { authorization: `Bearer ${await control.watchTicket(undefined, { exp })}` },
      })
    const now = Math.floor(control.nowMs() / 1_000)
    expect((await watch(now - 2)).status).toBe(401)
    const exp = now + 2
    const text = await (await watch(exp)).text()
    const samples = [...text.matchAll(/"at":(\d+)/g)].map(([, at]) => Number(at))
    expect(samples.length).toBeGreaterThan(0)
    expect(Math.max(...samples)).toBeLessThanOrEqual(exp * 1_000 + 500)
  })

  test('a ticket of another issuer with the same key is invalid: in HELLO, BIND and for live figures', async () => {
    const { ports } = await bench.startRelay()
    const endpoint = `tcp:c1:${await freePort()}`
    const iss = 'https://other.test'
    const foreign = await control.ticket({ endpoint, iss })
    await expect(bench.dial(ports, { ticket: foreign })).rejects.toMatchObject({ key: 'ticket.invalid' })
    // It may be the control plane's new address: the relay syncs.
    await control.synced(({ sequence = 0 }) => sequence > 2)
    const dialled = await bench.dial(ports, { ticket: await control.ticket({ endpoint }) })
    dialled.session.bind(1, foreign)
    expect(await dialled.heard('unbound', 1)).toMatchObject({ code: codes['ticket.invalid'].code })
    const watched = await Promise.all(
      [{ iss }, {}].map(async (claims) => {
        const url = `http://127.0.0.1:${ports.httpPort}/v1/live/history?tunnel=none`
        const authorization = `Bearer ${await control.watchTicket(undefined, claims)}`
        return (await fetch(url, { headers: { authorization } })).status
      }),
    )
    expect(watched).toEqual([401, 200])
  })

  test("the relay's own name answers on the TLS port too", async () => {
    const { ports } = await bench.startRelay()
    const ca = control.requests.at(-1)?.boot.agentAddress.certificate
    const socket = connectTls({ port: ports.tlsPort, host: '127.0.0.1', servername: ownName, ca })
    socket.end(`GET /nothing HTTP/1.1\r\nhost: ${ownName}\r\n\r\n`)
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 404 /)
  })
})
