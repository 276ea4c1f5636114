import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readVisitorSource, type VisitorSource } from './forwarded.ts'

const near = { address: '10.0.0.1', port: 4_711, localPort: 80, proto: 'http' } as const
const proxies = new TrustedProxies(['10.0.0.0/8', 'fd00::/8'])
const withCloudflare = new TrustedProxies(['10.0.0.0/8', 'cloudflare'])
const edge = { ...near, address: '173.245.48.5' }

function read(fields: string, trusted = proxies, from: VisitorSource = near) {
  const scanner = new RequestScanner()
  scanner.push(Buffer.from(`GET / HTTP/1.1\r\nHost: upstream:8480\r\n${fields}\r\n`, 'latin1'))
  const head = scanner.next()
  if (head?.kind !== 'head') throw new Error(`refused: ${head?.kind === 'refused' && head.key}`)
  return readVisitorSource(head, from, trusted)
}

describe('X-Forwarded-For is read from the right over trusted hops', () => {
  test.each([
    ['one', '203.0.113.9', '203.0.113.9', 0],
    ['a forged one before it', '6.6.6.6, 203.0.113.9', '203.0.113.9', 0],
    ['a trusted one behind it', '6.6.6.6, 203.0.113.9, 10.2.3.4', '203.0.113.9', 0],
    ['two trusted ones behind it', '203.0.113.9,10.2.3.4,fd00::1', '203.0.113.9', 0],
    ['none but trusted ones', '10.5.5.5, 10.2.3.4', '10.5.5.5', 0],
    ['on two lines', '6.6.6.6\r\nX-Forwarded-For: 203.0.113.9, 10.2.3.4', '203.0.113.9', 0],
    ['IPv6', '2001:DB8::9', '2001:db8::9', 0],
    ['IPv4 in IPv6', '::ffff:203.0.113.9', '203.0.113.9', 0],
    ['with a port', '203.0.113.9:5555', '203.0.113.9', 5_555],
    ['IPv6 with a port', '[2001:db8::9]:5555', '2001:db8::9', 5_555],
    ['nothing', '', '10.0.0.1', 4_711],
    ['unknown', 'unknown', '10.0.0.1', 4_711],
    ['unknown behind a trusted one', '203.0.113.9, unknown, 10.2.3.4', '10.2.3.4', 0],
    ['nonsense', '203.0.113.9, <script>', '10.0.0.1', 4_711],
    ['empty elements', '203.0.113.9, ,', '203.0.113.9', 0],
  ])('%s', (_, value, address, port) => {
    expect(read(`X-Forwarded-For: ${value}\r\n`)).toMatchObject({ address, port, localPort: 80 })
  })

  test('text before the first untrusted hop never matters', () => {
    const forged = fc.stringMatching(/^[\x20-\x7e]{0,60}$/)
    fc.assert(
      fc.property(forged, fc.integer({ min: 0, max: 10 }), (text, hops) => {
        const list = [text, '203.0.113.9', ...Array(hops).fill('10.2.3.4')].join(', ')
        expect(read(`X-Forwarded-For: ${list}\r\n`).address).toBe('203.0.113.9')
      }),
    )
  })

  test('a name with "_" is a visitor’s, and other names are ignored', () => {
    expect(read('X_Forwarded_For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nCF-Connecting-IP: 6.6.6.6\r\n')).toEqual(
      near,
    )
  })
})

describe('scheme and host come from the same hop', () => {
  test.each([
    ['https', 'https'],
    ['HTTPS', 'https'],
    ['wss', 'https'],
    ['http', 'http'],
    ['gopher', 'http'],
    ['http, https', 'https'],
  ])('scheme %s is %s', (value, proto) => {
    expect(read(`X-Forwarded-Proto: ${value}\r\n`)).toMatchObject({ proto })
  })

  test('behind two trusted proxies that both appended', () => {
    const fields =
      'X-Forwarded-For: 203.0.113.9, 10.2.3.4\r\nX-Forwarded-Proto: https, http\r\nX-Forwarded-Host: A.test, inner\r\n'
    expect(read(fields)).toMatchObject({ proto: 'https', host: 'a.test', hostField: 'A.test' })
  })

  test('behind two proxies of which the last set it anew', () => {
    const fields = 'X-Forwarded-For: 203.0.113.9, 10.2.3.4\r\nX-Forwarded-Proto: https\r\n'
    expect(read(fields)).toMatchObject({ address: '203.0.113.9', proto: 'https' })
  })

  test.each(['a.test, ', 'a test', '<b>', 'a.test/x'])('an invalid host is not believed: %s', (value) => {
    const { host } = read(`X-Forwarded-Host: ${value}\r\n`)
    expect(host).toBe(value === 'a.test, ' ? 'a.test' : undefined)
  })
})

describe('RFC 7239', () => {
  test.each([
    ['for=203.0.113.9;proto=https;host=a.test', { address: '203.0.113.9', proto: 'https', host: 'a.test' }],
    ['For="[2001:db8::9]:5555"', { address: '2001:db8::9', port: 5_555, proto: 'http' }],
    ['for=6.6.6.6;proto=http, for=203.0.113.9;proto=https', { address: '203.0.113.9', proto: 'https' }],
    ['for=203.0.113.9;by=10.0.0.2, for=10.0.0.2', { address: '203.0.113.9' }],
    ['for=_hidden', { address: '10.0.0.1' }],
    ['for="203.0.113.9, for=6.6.6.6"', { address: '10.0.0.1' }],
    ['host="a.test:8080";for=203.0.113.9', { host: 'a.test', hostField: 'a.test:8080' }],
  ])('%s', (value, expected) => {
    expect(read(`Forwarded: ${value}\r\n`)).toMatchObject(expected)
  })

  test('X-Forwarded-For of a proxy wins over a Forwarded that it passed on', () => {
    const fields = 'Forwarded: for=6.6.6.6;proto=http;host=b.test\r\nX-Forwarded-For: 203.0.113.9\r\n'
    expect(read(fields)).toEqual({ address: '203.0.113.9', port: 0, localPort: 80, proto: 'http' })
  })
})

describe('Cloudflare', () => {
  const lies =
    'X-Forwarded-For: 6.6.6.6, 173.245.48.9\r\nX-Forwarded-Host: b.test\r\nForwarded: for=6.6.6.6;host=b.test\r\nTrue-Client-IP: 6.6.6.6\r\n'

  test.each([
    ['its own field names the visitor', 'CF-Connecting-IP: 203.0.113.9\r\n', '203.0.113.9', 0],
    ['IPv6', 'CF-Connecting-IP: 2001:DB8::9\r\n', '2001:db8::9', 0],
    ['a Worker’s address ends there', 'CF-Connecting-IP: 2a06:98c0:3600::103\r\n', '2a06:98c0:3600::103', 0],
    ['no such field: it speaks for itself', '', '173.245.48.5', 4_711],
    ['two of them', 'CF-Connecting-IP: 6.6.6.6\r\nCF-Connecting-IP: 203.0.113.9\r\n', '173.245.48.5', 4_711],
    ['nonsense', 'CF-Connecting-IP: 203.0.113.9:80\r\n', '173.245.48.5', 4_711],
    ['a network', 'CF-Connecting-IP: 0.0.0.0/0\r\n', '173.245.48.5', 4_711],
  ])('%s, whatever else the request says', (_, fields, address, port) => {
    expect(read(lies + fields, withCloudflare, edge)).toEqual({ address, port, localPort: 80, proto: 'http' })
  })

  test('the scheme is the one that it adds', () => {
    const fields = 'X-Forwarded-Proto: http, https\r\nCF-Connecting-IP: 203.0.113.9\r\n'
    expect(read(fields, withCloudflare, edge)).toMatchObject({ address: '203.0.113.9', proto: 'https' })
    expect(read('Forwarded: proto=https\r\n', withCloudflare, edge)).toMatchObject({ proto: 'http' })
  })

  test('behind a proxy of the operator’s own it names the visitor too', () => {
    const fields = `${lies}CF-Connecting-IP: 203.0.113.9\r\n`
    expect(read(fields, withCloudflare)).toMatchObject({ address: '203.0.113.9', port: 0 })
    const direct = 'X-Forwarded-For: 203.0.113.7\r\nCF-Connecting-IP: 6.6.6.6\r\n'
    expect(read(direct, withCloudflare)).toMatchObject({ address: '203.0.113.7' })
  })

  test('a network that it has given up is a stranger’s, on open connections too', () => {
    const changed = new TrustedProxies(['10.0.0.0/8', 'cloudflare'])
    changed.learn(['104.16.0.0/13'])
    expect(read(`${lies}CF-Connecting-IP: 6.6.6.6\r\n`, changed, edge)).toEqual(edge)
  })

  test('is believed only where the settings name it', () => {
    const fields = 'CF-Connecting-IP: 6.6.6.6\r\n'
    expect(read(fields, proxies)).toEqual(near)
    expect(read(`X-Forwarded-For: 173.245.48.9\r\n${fields}`, proxies).address).toBe('173.245.48.9')
  })
})
