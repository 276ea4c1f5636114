import { once } from 'node:events'
import { get } from 'node:http'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decreeMs } from './decrees.ts'
import { NameKnowledge } from './name-knowledge.ts'
import { Names } from './names.ts'
import type { Route, Routes } from './routes.ts'
import type { RelayPorts } from './running.ts'
import { makeTestControl, type TestControl } from './testing/test-control.ts'
import { TestBench } from './testing/test-relay.ts'

const host = 'shop.example.org'
const hour = 3_600_000
const day = 24 * hour

describe('names at a relay', () => {
  let control: TestControl
  let bench: TestBench
  let ports: RelayPorts
  let heard: ((command: Command) => void) | undefined

  beforeEach(async () => {
    control = await makeTestControl()
    bench = await TestBench.make(control)
    const commands = {
      start: (onCommand: (command: Command) => void) => {
        heard = onCommand
      },
      close: async () => {},
    }
    ;({ ports } = await bench.startRelay({}, { commands }))
  })
  afterEach(() => bench.close())

  const say = (version: number, tunnel: string, account: string) =>
    heard?.({ id: 'cmd', kind: 'name', at: Math.round(control.nowMs()), host, version, tunnel, account })

  const sayOf = (of: string, version: number, { sub, account }: { sub: string; account: string }) =>
    heard?.({
      id: 'cmd',
      kind: 'name',
      at: Math.round(control.nowMs()),
      host: of,
      version,
      tunnel: sub,
      account,
    })

  /** A tunnel of its own account, whose upstream sends its name. */
  async function serve(name: string, names?: { host: string; version: number }[]) {
    const upstreamPort = await bench.startUpstream((socket) => {
      socket.on('data', () => {
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\nConnection: close\r\n\r\n${name}`)
      })
    })
    const digit = name.length % 10
    const account = `acc_${`${digit}`.repeat(26)}`
    const agent = `agt_${`${digit}`.repeat(26)}`
    const sub = `tun_${`${digit}`.repeat(26)}`
    const endpoint = `host:${name}.tunnels.test`
    const ticket = await control.ticket({ endpoint, account, agent, sub, name, ...(names && { names }) })
    const dialled = await bench.dial(ports, { ticket, upstreamPort, agentId: agent })
    await dialled.bind(1, ticket)
    return { account, sub, dialled }
  }

  async function visit(name: string): Promise<string> {
    const request = get({ host: '127.0.0.1', port: ports.httpPort, agent: false, headers: { host: name } })
    const [response] = await once(request, 'response')
    let text = ''
    for await (const chunk of response) text += chunk
    return response.statusCode === 200 ? text : `${response.statusCode}`
  }

  test('a ticket that lists a name leads its visitors to the tunnel, and to its endpoint as before', async () => {
    await serve('one', [{ host, version: 5 }])
    expect(await visit(host)).toBe('one')
    expect(await visit('one.tunnels.test')).toBe('one')
    expect(await visit('other.example.org')).toBe('404')
  })

  test('commands move a name that is bound, take it away, and an old ticket does not bring it back', async () => {
    const one = await serve('one', [{ host, version: 5 }])
    const three = await serve('three')
    say(7, three.sub, three.account)
    expect(await visit(host)).toBe('three')
    say(6, one.sub, one.account)
    expect(await visit(host), 'an older version').toBe('three')
    say(8, '', '')
    expect(await visit(host)).toBe('404')
    one.dialled.session.close('session.closed')
    await serve('one', [{ host, version: 5 }])
    expect(await visit(host)).toBe('404')
  })

  test('a wildcard leads every name one level below it, and no other; a host of its own comes first', async () => {
    const wildcard = '*.app.example.org'
    await serve('one', [{ host: wildcard, version: 5 }])
    const three = await serve('three')
    expect(await visit('a.app.example.org')).toBe('one')
    expect(await visit('_.app.example.org')).toBe('one')
    for (const other of ['app.example.org', 'a.b.app.example.org', 'a.apps.example.org', 'xapp.example.org'])
      expect(await visit(other), other).toBe('404')
    expect(await visit(wildcard), 'it is no host itself').toBe('400')
    sayOf('a.app.example.org', 6, three)
    expect([await visit('a.app.example.org'), await visit('b.app.example.org')]).toEqual(['three', 'one'])
    sayOf('a.app.example.org', 7, { sub: 'tun_away', account: three.account })
    expect(await visit('a.app.example.org'), 'its tunnel is offline').toBe('503')
    sayOf('a.app.example.org', 8, { sub: '', account: '' })
    expect(await visit('a.app.example.org')).toBe('one')
    sayOf(wildcard, 9, { sub: '', account: '' })
    expect(await visit('a.app.example.org')).toBe('404')
  })

  test('visitors who came by a wildcard are cut when it, or a name of its own, leads elsewhere', async () => {
    const upstreamPort = await bench.startUpstream((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'))
    })
    const names = [{ host: '*.app.example.org', version: 5 }]
    const ticket = await control.ticket({ endpoint: 'host:k.tunnels.test', names })
    const agent = await bench.dial(ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    const keep = async (name: string) => {
      const socket = connect(ports.httpPort, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
      expect(`${(await once(socket, 'data'))[0]}`).toContain('hi')
      return { socket, closed: new Promise((resolve) => socket.once('close', resolve)) }
    }
    const [own, other] = [await keep('a.app.example.org'), await keep('b.app.example.org')]
    sayOf('a.app.example.org', 6, { sub: 'tun_away', account: 'acc_another' })
    await own.closed
    expect(other.socket.destroyed).toBe(false)
    sayOf('*.app.example.org', 7, { sub: '', account: '' })
    await other.closed
  })

  test('a name of another account than that of the tunnel bound here leads nowhere', async () => {
    const one = await serve('one')
    say(7, one.sub, 'acc_another')
    expect(await visit(host)).toBe('404')
  })

  test('TLS for a name reaches the tls tunnel that has it, untouched', async () => {
    const hello = Promise.withResolvers<Buffer>()
    const upstreamPort = await bench.startUpstream((socket) => socket.once('data', hello.resolve))
    const ticket = await control.ticket({
      kind: 'tls',
      endpoint: 'host:t.tunnels.test',
      names: [{ host, version: 5 }],
    })
    const agent = await bench.dial(ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    const socket = connectTls({ host: '127.0.0.1', port: ports.tlsPort, servername: host })
    socket.on('error', () => {})
    expect((await hello.promise).includes(host)).toBe(true)
    socket.destroy()
  })

  test('a connection that came by a name is cut when the name leads elsewhere; one by the endpoint stays', async () => {
    const upstreamPort = await bench.startUpstream((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'))
    })
    const ticket = await control.ticket({ endpoint: 'host:k.tunnels.test', names: [{ host, version: 5 }] })
    const agent = await bench.dial(ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    const keep = async (name: string) => {
      const socket = connect(ports.httpPort, '127.0.0.1')
      socket.on('error', () => {})
      const ask = async () => {
        socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
        return `${(await once(socket, 'data'))[0]}`
      }
      expect(await ask()).toContain('hi')
      return { ask, closed: new Promise((resolve) => socket.once('close', resolve)) }
    }
    const [byName, byEndpoint] = [await keep(host), await keep('k.tunnels.test')]
    say(6, '', '')
    await byName.closed
    expect(await byEndpoint.ask()).toContain('hi')
  })

  test('a name whose tunnel is offline says so, by HTTP and by TLS, until the name is taken away', async () => {
    const [tlsHost, endpoint] = ['raw.example.org', 'host:r.tunnels.test']
    await serve('one', [{ host, version: 5 }])
    const ticket = await control.ticket({ kind: 'tls', endpoint, names: [{ host: tlsHost, version: 5 }] })
    const agent = await bench.dial(ports, { ticket, upstreamPort: 9 })
    await agent.bind(1, ticket)
    for (const gone of ['host:one.tunnels.test', endpoint]) {
      const at = Math.round(control.nowMs())
      heard?.({ id: 'cmd', kind: 'revoke', at, endpoint: gone, epoch: 1_000, reason: 'lease.gone' })
    }
    expect(await visit(host)).toBe('503')
    expect(await visitByTls(host)).toBe('503')
    expect(await visitByTls(tlsHost)).toBe('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR')
    expect(await visit('one.tunnels.test')).toBe('503')
    expect(await visit(tlsHost)).toBe('503')
    expect(await visitByTls('other.example.org')).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME')
    say(8, '', '')
    expect(await visit(host)).toBe('404')
    expect(await visitByTls(host)).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME')
  })

  test('hosts that nobody has, and names that are offline, cost the control plane no call', async () => {
    await serve('one', [{ host, version: 5 }])
    say(6, '', '')
    const before = control.requests.length
    const strangers = Array.from({ length: 40 }, (_, n) => `n${n}.example.net`)
    const told = await Promise.all([host, ...strangers].map((name) => visit(name)))
    expect(new Set(told)).toEqual(new Set(['404']))
    for (const name of strangers.slice(0, 5))
      expect(await visitByTls(name)).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME')
    // A report that is due still comes.
    expect(control.requests.length - before).toBeLessThan(5)
  })

  async function visitByTls(name: string): Promise<string> {
    const socket = connectTls({
      host: '127.0.0.1',
      port: ports.tlsPort,
      servername: name,
      rejectUnauthorized: false,
    })
    const { promise, resolve } = Promise.withResolvers<string>()
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.on('data', (bytes) => resolve(`${bytes}`.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)))
    socket.once('secureConnect', () => socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`))
    return promise.finally(() => socket.destroy())
  }

  test('no name takes the place of an endpoint of the cell', async () => {
    await serve('one', [{ host: 'bank.tunnels.test', version: 5 }])
    expect(await visit('bank.tunnels.test')).toBe('404')
  })
})

describe('a relay’s knowledge of names', () => {
  const at = (ms: number) => ({ serverMs: ms, wallMs: ms, monotonicMs: ms })

  test('counts for a day without an exchange, by the clock that is ahead', () => {
    const knowledge = new NameKnowledge()
    expect(knowledge.isTrusted(at(0))).toBe(false)
    knowledge.answered(at(0), at(50))
    expect(knowledge.isTrusted(at(day))).toBe(true)
    expect(knowledge.isTrusted(at(day + 1))).toBe(false)
    expect(knowledge.isTrusted({ ...at(hour), wallMs: day + 1 })).toBe(false)
  })

  test('counts as long after a restart, but not after it took its leave or when a clock was set back', () => {
    const before = new NameKnowledge()
    before.answered(at(day), at(day))
    const kept = JSON.parse(JSON.stringify(before))
    expect(new NameKnowledge(kept).isTrusted(at(2 * day))).toBe(true)
    expect(new NameKnowledge(kept).isTrusted(at(2 * day + 1))).toBe(false)
    expect(new NameKnowledge(kept).isTrusted(at(day - hour))).toBe(false)
    before.takeLeave()
    expect(new NameKnowledge(JSON.parse(JSON.stringify(before))).isTrusted(at(day))).toBe(false)
  })

  test('too long a silence cuts visitors who came by a name, and nobody else', () => {
    const knowledge = new NameKnowledge()
    knowledge.hear({ host, version: 5, account: 'acc', tunnel: 'one', at: 0 })
    knowledge.answered(at(0), at(0))
    let now = at(0)
    const cut: string[] = []
    const routes = [
      { name: host, claims: { sub: 'one' } },
      { name: undefined, claims: { sub: 'one' } },
    ] as unknown as Route[]
    const resolver = new Names({
      knowledge,
      takenDown: { has: () => false },
      places: { serves() {}, kindOf: () => undefined },
      routes: {} as Routes,
      domain: () => 'tunnels.test',
      moment: () => now,
      cut: (matches) =>
        cut.push(
          routes
            .filter(matches)
            .map(({ name }) => name ?? 'endpoint')
            .join(),
        ),
    })
    resolver.check()
    expect(cut).toEqual([])
    now = at(day + 1)
    resolver.check()
    expect(cut).toEqual([host])
  })

  test('after too long a silence names not confirmed within a ticket are forgotten, and their visitors are cut', () => {
    const knowledge = new NameKnowledge()
    const moved: string[] = []
    knowledge.whenMoved((name) => moved.push(name))
    knowledge.answered(at(0), at(0))
    const known = { version: 5, account: 'acc', tunnel: 'one' }
    knowledge.hear({ ...known, host, at: 0 })
    knowledge.hear({ ...known, host: 'new.example.org', at: 2 * day })
    knowledge.answered(at(day), at(day))
    expect([moved, knowledge.find(host)?.tunnel], 'a day is not too long').toEqual([[], 'one'])
    knowledge.answered(at(2 * day + hour), at(2 * day + hour))
    expect(moved).toEqual([host])
    expect([knowledge.find(host), knowledge.find('new.example.org')?.tunnel]).toEqual([undefined, 'one'])
  })

  test('a removal is remembered until no ticket with the name can bind; a served name for good', () => {
    const knowledge = new NameKnowledge()
    knowledge.hear({ host, version: 5, account: '', tunnel: '', at: hour })
    knowledge.hear({ host: 'kept.example.org', version: 5, account: 'acc', tunnel: 'one', at: 0 })
    const isServed = (tunnel: string) => tunnel === 'one'
    knowledge.prune(hour + decreeMs, isServed)
    expect(knowledge.hear({ host, version: 4, account: 'acc', tunnel: 'old', at: hour })).toBe(false)
    knowledge.prune(hour + decreeMs + 1, isServed)
    expect(JSON.parse(JSON.stringify(knowledge)).known).toMatchObject([{ host: 'kept.example.org' }])
  })

  test('10,000 names are known as offline for a day after their tunnels left, unless later news differs', () => {
    const knowledge = new NameKnowledge()
    const said = { version: 5, account: 'acc', tunnel: 'one' }
    knowledge.hear({ ...said, host, kind: 'tls', at: 0 })
    knowledge.hear({ ...said, host, at: hour })
    knowledge.prune(day, () => false)
    expect([knowledge.find(host), knowledge.kindOf(host)]).toEqual([undefined, 'tls'])
    knowledge.prune(day + hour, () => false)
    expect(knowledge.kindOf(host)).toBe('tls')
    knowledge.prune(day + hour + 1, () => false)
    expect(knowledge.kindOf(host)).toBeUndefined()

    for (let i = 0; i <= 10_001; i++) knowledge.hear({ ...said, host: `${i}.example.org`, at: day })
    knowledge.hear({ ...said, host: '2.example.org', tunnel: '', version: 6, at: 2 * day })
    knowledge.prune(day + decreeMs + 1, () => false)
    expect(['0', '1', '2', '10001'].map((name) => knowledge.kindOf(`${name}.example.org`))).toEqual([
      undefined,
      'http',
      undefined,
      'http',
    ])
  })

  test('two tunnels of one version lead nowhere', () => {
    const knowledge = new NameKnowledge()
    const said = { host, version: 5, account: 'acc', at: 0 }
    knowledge.hear({ ...said, tunnel: 'one' })
    knowledge.hear({ ...said, tunnel: 'two' })
    expect(knowledge.find(host)).toBeUndefined()
  })
})
