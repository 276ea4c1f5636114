import { parseConfig } from '@porttunneler/relay-vm/config'
import { describe, expect, test } from 'vitest'
import { type Config, readSettings } from './config.ts'
import { canShare, endpointFace, liveOrigin, relayConfig, relayFailure } from './relay.ts'

const config = (yaml = ''): Config =>
  readSettings({
    ...{ args: [], env: {}, isOpen: () => false },
    readText: (path) => (path.endsWith('.yaml') ? yaml : undefined),
  }).config
const folder = { file: (...names: string[]) => `/data/${names.join('/')}` }
const around = { folder, controlUrl: 'http://127.0.0.1:8400', consoleUrl: 'http://localhost:8400' }
const relayOf = (yaml = '') => parseConfig(JSON.stringify(relayConfig(config(yaml), around)), {})
const own = { tlsPort: 8444, httpPort: 8445 }
const ports = { tlsPort: 8443, httpPort: 8480, adminPort: 8490 }
const certificate = 'certificate: { certFile: a.pem, keyFile: b.pem }'

describe('the relay of a standalone server', () => {
  test('accepts the configuration made for it, and listens on loopback only', () => {
    const { listen, public: face } = relayOf()
    expect(listen).toMatchObject({
      tls: { host: '127.0.0.1' },
      http: { host: '127.0.0.1' },
      tcpHost: '127.0.0.1',
    })
    expect(face).toMatchObject({
      agentHost: '127.0.0.1',
      names: ['localhost', '127.0.0.1'],
      domain: 'localhost',
    })
  })

  test('it believes the proxies that the settings list, and otherwise none', () => {
    expect(relayOf()).toMatchObject({ trustedProxies: [], proxyProtocol: [] })
    expect(relayOf('trustedProxies: [10.0.0.1]\nproxyProtocol: [tcp, tls]')).toMatchObject({
      trustedProxies: ['10.0.0.1'],
      proxyProtocol: ['tcp', 'tls'],
    })
  })

  test('it demands the certificate of the proxy in front where the settings say so', () => {
    expect(relayOf().originPulls).toBeUndefined()
    expect(relayOf('originPulls: { caFile: /etc/ca.pem, names: ["*.example.com"] }')).toMatchObject({
      originPulls: { caFile: '/etc/ca.pem', names: ['*.example.com'] },
    })
  })

  test("several relays share the ports of visitors; the rest is each one's own", () => {
    const of = (index: number) =>
      parseConfig(
        JSON.stringify(relayConfig(config('relays: 2'), around, { index, turn: 'a', first: ports })),
        {},
      )
    const [first, second] = [of(0), of(1)]
    expect(second.instance).toBe('r2')
    expect(second.dataDir).not.toBe(first.dataDir)
    expect([second.listen.tls, second.listen.http]).toEqual([first.listen.tls, first.listen.http])
    expect([first.listen.own, second.listen.own]).toMatchObject([
      { tlsPort: 8444, httpPort: 8445 },
      { tlsPort: 8446, httpPort: 8447 },
    ])
    expect(second.listen.admin.port).toBe(8491)
    expect(relayOf().listen.own).toBeUndefined()
  })

  test('agents and visitors do not notice whose turn it is at a place', () => {
    const of = (turn: 'a' | 'b') =>
      parseConfig(JSON.stringify(relayConfig(config(), around, { index: 0, turn, ports })), {})
    const [one, other] = [of('a'), of('b')]
    expect(other).toMatchObject({ listen: one.listen, public: one.public, tlsDir: one.tlsDir })
    expect(one.listen).toMatchObject({ tls: { port: 8443 }, admin: { port: 8490 } })
    expect([one.instance, other.instance]).toEqual(['r1', 'r1b'])
    expect(one.dataDir).not.toBe(other.dataDir)
  })

  test('a data folder too deep for Unix sockets only leaves one relay without siblings', () => {
    const deep = { file: (...names: string[]) => `/${'d'.repeat(90)}/${names.join('/')}` }
    expect(canShare(config(), folder)).toBe(process.platform === 'linux')
    expect(canShare(config(), deep)).toBe(false)
    const alone = parseConfig(JSON.stringify(relayConfig(config(), { ...around, folder: deep })), {})
    expect(alone.listen.siblings).toBeUndefined()
  })

  test('opened to the world, agents get the public host and the mapped port', () => {
    const { listen, public: face } = relayOf('bind: 0.0.0.0\nhost: t.example.com\npublic: { tls: 443 }')
    expect(listen.tls.host).toBe('0.0.0.0')
    expect(face).toMatchObject({
      agentHost: 't.example.com',
      agentPort: 443,
      names: ['t.example.com', '127.0.0.1'],
    })
  })

  test.each([
    ['', { httpScheme: 'http', httpPort: 8480, tlsPort: 8443 }],
    ['public: { http: 80 }', { httpScheme: 'http', httpPort: 80, tlsPort: 8443 }],
    ['public: { http: 443, scheme: https }', { httpScheme: 'https', httpPort: 443, tlsPort: 8443 }],
    [certificate, { httpScheme: 'https', httpPort: 8443, tlsPort: 8443 }],
    [`${certificate}\npublic: { tls: 443 }`, { httpScheme: 'https', httpPort: 443, tlsPort: 443 }],
  ])('endpoints show what visitors reach: %j', (yaml, face) => {
    expect(endpointFace(config(yaml), ports)).toEqual(face)
  })

  test.each([
    ['', 'http://localhost:8480'],
    ['public: { live: "https://live.example.com/" }', 'https://live.example.com'],
    [`host: t.example.com\n${certificate}`, 'https://t.example.com:8443'],
    // The relay is told its address before it has the port.
    [`host: t.example.com\nrelays: 2\nports: { own: 0 }\n${certificate}`, 'http://t.example.com:8445'],
  ])('live figures come from where the relay answers them: %j', (yaml, origin) => {
    expect(liveOrigin(config(yaml), { ...ports, ...(yaml.includes('own') && { own }) })).toBe(origin)
    expect(relayOf(yaml).public.watchUrl ?? origin).toBe(origin)
    if (yaml !== '') expect(relayOf(yaml).public.names).toContain(new URL(origin).hostname)
  })
})

test.each([
  ['127.0.0.1:8480 cannot be listened on (EADDRINUSE) (PT-5002)', 'PT-5102'],
  ['0.0.0.0:80 cannot be listened on (EACCES) (PT-5002)', 'PT-5103'],
  ['192.0.2.1:80 cannot be listened on (EADDRNOTAVAIL) (PT-5002)', 'PT-5104'],
  ['The enrolment key was refused (PT-5005)', 'PT-5108'],
])('a relay that says "%s" is reported as %s', (sentence, code) => {
  expect(relayFailure(sentence)).toMatchObject({ code, detail: sentence })
})
