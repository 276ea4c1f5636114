/** Visitors behind a proxy that the operator trusts: one connection of the proxy carries requests of many. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { limits } from '@porttunneler/shared/protocol/limits'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeTestControl, type TestControl } from './testing/test-control.ts'
import { agentSni, ownName, TestBench } from './testing/test-relay.ts'

const proxy = '127.0.0.2'
let control: TestControl
let bench: TestBench
let clock: FakeClock

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
  // Nobody moves the clock: nothing here waits for a timer.
  clock = new FakeClock(Date.now())
  control.nowMs = () => clock.now()
})
afterEach(() => bench.close())

/** Upstreams answer with the head that they got. `a` and `b` are tunnels of one agent. */
async function start(changes: Record<string, unknown> = {}, deny: readonly string[] = []) {
  const policy = { allow: [], deny: [...deny], connectionsMax: 100, connectionsPerMinute: 6_000 }
  const { relay, ports } = await bench.startRelay({ trustedProxies: [proxy], ...changes }, { clock })
  const upstreamPort = await bench.startUpstream((socket) => {
    socket.on('data', (head: Buffer) => {
      if (/\r\nUpgrade:/.test(String(head)))
        socket.write('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n')
      else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n${head}`)
    })
    socket.on('end', () => socket.end())
  })
  const [a, b] = await Promise.all(
    ['a', 'b'].map((name) => control.ticket({ endpoint: `host:${name}.tunnels.test`, policy })),
  )
  const agent = await bench.dial(ports, { ticket: a as string, upstreamPort })
  await agent.bind(1, a as string)
  await agent.bind(2, b as string)
  return { ...ports, relay, agent, ca: control.requests.at(-1)?.boot.agentAddress.certificate }
}

const visit = (port: number, localAddress = proxy) =>
  // The relay may end the connection before the test does.
  connect({ port, host: '127.0.0.1', localAddress, noDelay: true }).on('error', () => {})
const asks = (host: string, fields = '') => `GET / HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`
const forwarded = (address: string, proto = 'https') =>
  `X-Forwarded-For: 6.6.6.6, ${address}\r\nX-Forwarded-Proto: ${proto}\r\n`

/** The request as the upstream got it, or the status of another answer. */
async function ask(socket: Socket, request: string): Promise<string> {
  socket.write(request)
  let text = ''
  for (;;) {
    text += String((await once(socket, 'data'))[0])
    const end = text.indexOf('\r\n\r\n') + 4
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
    if (end > 3 && text.length >= end + length)
      return text.startsWith('HTTP/1.1 200') ? text.slice(end) : text
  }
}

describe('a trusted proxy', () => {
  test('address, scheme and host come from the proxy, and the upstream sees one of each', async () => {
    const { httpPort, agent } = await start()
    const socket = visit(httpPort)
    const heard = await ask(
      socket,
      asks(
        '127.0.0.1:8480',
        `${forwarded('203.0.113.9:5555')}X-Forwarded-Host: A.tunnels.test\r\nX-Real-IP: 6.6.6.6\r\n`,
      ),
    )
    expect(heard).toBe(
      'GET / HTTP/1.1\r\nHost: A.tunnels.test\r\nX-Forwarded-For: 203.0.113.9\r\n' +
        'X-Forwarded-Host: A.tunnels.test\r\nX-Forwarded-Proto: https\r\n\r\n',
    )
    expect(agent.visitors).toMatchObject([{ visitorAddress: '203.0.113.9', visitorPort: 5_555 }])
    socket.destroy()
  })

  test('one connection carries requests of many visitors to many hosts; each has a stream of its own', async () => {
    const { httpPort, agent } = await start()
    const socket = visit(httpPort)
    for (const [address, host, streams] of [
      ['203.0.113.1', 'a', 1],
      ['203.0.113.1', 'a', 1],
      ['203.0.113.2', 'a', 2],
      ['203.0.113.2', 'b', 3],
      ['203.0.113.1', 'b', 4],
    ] as const) {
      const heard = await ask(socket, asks(`${host}.tunnels.test`, forwarded(address)))
      expect(heard).toContain(`Host: ${host}.tunnels.test\r\nX-Forwarded-For: ${address}\r\n`)
      expect(agent.visitors).toHaveLength(streams)
      expect(agent.visitors.at(-1)).toMatchObject({ visitorAddress: address, bind: host === 'a' ? 1 : 2 })
    }
    socket.destroy()
  })

  test('an Upgrade behind it finds its visitor too', async () => {
    const { httpPort, agent } = await start()
    const socket = visit(httpPort)
    await ask(socket, asks('a.tunnels.test', forwarded('203.0.113.1')))
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
    socket.write(asks('b.tunnels.test', forwarded('203.0.113.2') + upgrade))
    await once(socket, 'data')
    expect(agent.visitors.at(-1)).toMatchObject({ visitorAddress: '203.0.113.2', awaitsUpgrade: true })
    socket.destroy()
  })

  test('IP rules see the visitor and not the proxy', async () => {
    const { httpPort } = await start({}, ['203.0.113.0/24'])
    expect(await ask(visit(httpPort), asks('a.tunnels.test', forwarded('203.0.113.9')))).toMatch(
      /^HTTP\/1.1 403 /,
    )
    expect(await ask(visit(httpPort), asks('a.tunnels.test', forwarded('198.51.100.9')))).toMatch(/^GET /)
  })

  test('the rate of a network counts its visitors, and never the proxy', async () => {
    const source = { perMinute: 1, burst: 2 }
    const { httpPort } = await start({ limits: { source, exempt: ['127.0.0.1'] } })
    const statuses: string[] = []
    for (const address of ['203.0.113.1', '203.0.113.2', '203.0.113.3', '198.51.100.1']) {
      const socket = visit(httpPort)
      statuses.push((await ask(socket, asks('a.tunnels.test', forwarded(address)))).slice(0, 12))
      socket.destroy()
    }
    expect(statuses).toEqual(['GET / HTTP/1', 'GET / HTTP/1', 'HTTP/1.1 429', 'GET / HTTP/1'])
  })

  test('places are shared among its visitors: the one that holds most yields, and not the last that came', async () => {
    const { httpPort } = await start({ limits: { visitorsMax: 20, strangersMax: 10 } })
    const gone: string[] = []
    const come = async (address: string) => {
      const socket = visit(httpPort).on('close', () => gone.push(address))
      expect(await ask(socket, asks('a.tunnels.test', forwarded(address)))).toMatch(/^GET /)
      return socket
    }
    for (let n = 0; n < 10; n++) await come('198.51.100.1')
    const regular = await come('203.0.113.1')
    for (let n = 2; n < 9; n++) await come(`203.0.${n}.1`)
    // Nobody knows yet which visitors these are for.
    const idle = Array.from({ length: 5 }, () => visit(httpPort).on('close', () => gone.push('idle')))
    for (const socket of idle.slice(0, 3)) {
      const heard = await ask(socket, asks('a.tunnels.test', forwarded('192.0.2.1')))
      expect(heard).toMatch(/^GET /)
    }
    expect(await ask(regular, asks('a.tunnels.test', forwarded('203.0.113.1')))).toMatch(/^GET /)
    expect(new Set(gone)).toEqual(new Set(['198.51.100.1']))
  })

  test('over TLS its own server name does not matter', async () => {
    const { tlsPort, ca, agent } = await start()
    const socket = connectTls({ socket: visit(tlsPort), servername: agentSni, ca })
    const heard = await ask(socket, asks('b.tunnels.test', 'X-Forwarded-For: 203.0.113.9\r\n'))
    expect(heard).toContain(
      'X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Host: b.tunnels.test\r\nX-Forwarded-Proto: https',
    )
    expect(agent.visitors).toMatchObject([{ visitorAddress: '203.0.113.9' }])
    socket.destroy()
  })

  test('the relay’s own pages are reached by the host that it names', async () => {
    const { httpPort } = await start()
    const socket = visit(httpPort)
    socket.write(asks('127.0.0.1:1', `X-Forwarded-Host: ${ownName}\r\n`))
    const text = String((await once(socket, 'data'))[0])
    expect(text).toMatch(/^HTTP\/1.1 404 /)
    expect(text).not.toContain('PT-4014')
  })
})

test('a stranger that sends the same is not believed, whatever PROXY header stands before it', async () => {
  const { httpPort, agent } = await start()
  const socket = visit(httpPort, '127.0.0.3')
  const fields = `${forwarded('203.0.113.9')}X-Forwarded-Host: b.tunnels.test\r\nForwarded: for=203.0.113.9\r\n`
  expect(await ask(socket, asks('a.tunnels.test', fields))).toBe(
    'GET / HTTP/1.1\r\nHost: a.tunnels.test\r\nX-Forwarded-For: 127.0.0.3\r\n' +
      'X-Forwarded-Host: a.tunnels.test\r\nX-Forwarded-Proto: http\r\n\r\n',
  )
  expect(await ask(socket, asks('b.tunnels.test', fields))).toMatch(/^HTTP\/1.1 421 /)
  expect(agent.visitors).toMatchObject([{ visitorAddress: '127.0.0.3', bind: 1 }])
})

describe('Cloudflare in front', () => {
  // A balancer of ours tells that the connection is Cloudflare's, as nobody here has an address of theirs.
  const edge = (source = '173.245.48.5') => `PROXY TCP4 ${source} 203.0.113.1 4711 80\r\n`
  const cloudflare = { proxyProtocol: ['http'], trustedProxies: [proxy, 'cloudflare'] }
  const names = (address: string) => `X-Forwarded-For: 6.6.6.6\r\nCF-Connecting-IP: ${address}\r\n`
  const host = 'a.tunnels.test'

  test('agents, upstreams and IP rules see the visitor that it names', async () => {
    const { httpPort, agent } = await start(cloudflare, ['203.0.113.0/24'])
    const fields = `${names('198.51.100.9')}X-Forwarded-Proto: https\r\nX-Forwarded-Host: b.tunnels.test\r\nCF-Visitor: {}\r\n`
    expect(await ask(visit(httpPort), edge() + asks(host, fields))).toBe(
      `GET / HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-For: 198.51.100.9\r\nX-Forwarded-Host: ${host}\r\n` +
        'X-Forwarded-Proto: https\r\n\r\n',
    )
    expect(agent.visitors).toMatchObject([{ visitorAddress: '198.51.100.9', bind: 1 }])
    expect(await ask(visit(httpPort), edge() + asks(host, names('203.0.113.9')))).toMatch(/^HTTP\/1.1 403 /)
  })

  test('rates count the visitors that it names, and those that it does not name', async () => {
    const source = { perMinute: 1, burst: 2 }
    const { httpPort } = await start({ ...cloudflare, limits: { source, exempt: [] } })
    const outcomes: string[] = []
    const worker = '2a06:98c0:3600::103'
    for (const address of [
      '203.0.113.1',
      '203.0.113.2',
      '203.0.113.3',
      '198.51.100.1',
      worker,
      worker,
      '',
      '',
    ]) {
      const socket = visit(httpPort)
      const fields = address === '' ? '' : names(address)
      const heard = await ask(socket, edge() + asks(host, fields))
      outcomes.push(`${address} ${heard.startsWith('HTTP/1.1 429') ? 'refused' : 'passed'}`)
      socket.destroy()
    }
    expect(outcomes.filter((outcome) => outcome.endsWith('refused'))).toEqual([
      '203.0.113.3 refused',
      `${worker} refused`,
      ' refused',
    ])
  })

  test('its networks change while the relay runs, and are remembered over a restart', async () => {
    const [edgeAddress, other] = ['127.0.0.4', '127.0.0.5']
    control.proxyNetworks = { cloudflare: [`${edgeAddress}/32`] }
    const changes = { trustedProxies: ['cloudflare'], limits: { exempt: [] } }
    const seen = async (port: number, from: string) =>
      /For: (\S+)/.exec(await ask(visit(port, from), asks(host, names('203.0.113.9'))))?.[1]
    const { httpPort, relay } = await start(changes)
    expect(control.requests.at(-1)?.proxies).toEqual(['cloudflare'])
    expect([await seen(httpPort, edgeAddress), await seen(httpPort, other)]).toEqual(['203.0.113.9', other])
    control.proxyNetworks = { cloudflare: [`${other}/32`] }
    await clock.advanceAsync(limits.syncMs, 1_000)
    await vi.waitFor(async () => expect(await seen(httpPort, other)).toBe('203.0.113.9'), { timeout: 20_000 })
    expect(await seen(httpPort, edgeAddress)).toBe(edgeAddress)
    await relay.close()
    control.proxyNetworks = undefined
    const again = await start(changes)
    expect([await seen(again.httpPort, edgeAddress), await seen(again.httpPort, other)]).toEqual([
      edgeAddress,
      '203.0.113.9',
    ])
  })

  test('a stranger that sends its fields is a stranger', async () => {
    const { httpPort } = await start(cloudflare)
    expect(await ask(visit(httpPort), edge('192.0.2.7') + asks(host, names('6.6.6.6')))).toContain(
      'For: 192.0.2.7\r\n',
    )
    expect(await ask(visit(httpPort, '127.0.0.3'), asks(host, names('6.6.6.6')))).toContain(
      'For: 127.0.0.3\r\n',
    )
  })
})

test('a visitor of a tunnel that ends TLS itself is sent to HTTPS, unless the proxy has ended TLS already', async () => {
  const { httpPort, agent } = await start()
  const ticket = await control.ticket({ kind: 'tls', endpoint: 'host:t.tunnels.test' })
  await agent.bind(3, ticket)
  const asked = (proto: string) =>
    ask(visit(httpPort), asks('t.tunnels.test', forwarded('203.0.113.9', proto)))
  const plain = await asked('http')
  expect(plain).toMatch(/^HTTP\/1\.1 308 /)
  expect(plain).toContain('Location: https://t.tunnels.test/\r\n')
  expect(await asked('https')).toMatch(/^HTTP\/1\.1 404 /)
})

describe('the PROXY protocol', () => {
  const header = (source: string) => `PROXY TCP4 ${source} 203.0.113.1 4711 80\r\n`

  test('it may name a proxy that speaks HTTP; a visitor that it names is not believed', async () => {
    const { httpPort } = await start({ proxyProtocol: ['http'], trustedProxies: [proxy, '10.0.0.0/8'] })
    const fields = forwarded('203.0.113.9')
    expect(await ask(visit(httpPort), header('10.1.1.1') + asks('a.tunnels.test', fields))).toContain(
      'For: 203.0.113.9\r\n',
    )
    expect(await ask(visit(httpPort), header('192.0.2.7') + asks('a.tunnels.test', fields))).toContain(
      'For: 192.0.2.7\r\n',
    )
    const unknown = `PROXY UNKNOWN\r\n${asks('a.tunnels.test', fields)}`
    expect(await ask(visit(httpPort), unknown)).toContain(`For: ${proxy}\r\n`)
  })

  test('is expected only at the ports that the operator names', async () => {
    const { httpPort } = await start({ proxyProtocol: ['tls', 'tcp'] })
    expect(await ask(visit(httpPort), asks('a.tunnels.test', forwarded('203.0.113.9')))).toContain(
      'For: 203.0.113.9\r\n',
    )
    expect(await ask(visit(httpPort), header('192.0.2.7') + asks('a.tunnels.test'))).toMatch(
      /^HTTP\/1.1 400 /,
    )
  })
})
