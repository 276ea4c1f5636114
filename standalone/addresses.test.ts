import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { addressReader, httpsReader } from './addresses.ts'

const local = ['127.0.0.0/8', '::1']

/** What the reader returns for a request over a connection from `peer`. */
async function read(
  peer: string,
  proxies: readonly string[],
  forwarded?: string,
  connecting?: string,
): Promise<string> {
  const app = new Hono().get('/', (c) => c.text(addressReader(new TrustedProxies(proxies))(c)))
  const headers: Record<string, string> = {
    ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }),
    ...(connecting !== undefined && { 'cf-connecting-ip': connecting }),
  }
  const env = { incoming: { socket: { remoteAddress: peer, remotePort: 1, remoteFamily: 'IPv4' } } }
  return (await app.fetch(new Request('http://localhost/', { headers }), env)).text()
}

test.each([
  ['the connection tells', '203.0.113.7', [], undefined, '203.0.113.7'],
  ['IPv4 in IPv6 is IPv4', '::ffff:203.0.113.7', [], undefined, '203.0.113.7'],
  ['without a proxy, no header is believed', '127.0.0.1', [], '1.2.3.4', '127.0.0.1'],
  ['a proxy is believed for its own entry', '127.0.0.1', local, '6.6.6.6, 1.2.3.4', '1.2.3.4'],
  ['a proxy on another machine too', '10.0.0.2', ['10.0.0.0/24'], '6.6.6.6, 1.2.3.4', '1.2.3.4'],
  ['and each of two in a row', '10.0.0.2', ['10.0.0.0/24'], '6.6.6.6, 1.2.3.4, 10.0.0.1', '1.2.3.4'],
  ['a stranger is not the proxy', '203.0.113.7', local, '1.2.3.4', '203.0.113.7'],
  ['a proxy that sends no header', '::1', local, undefined, '::1'],
  ['text is not an address', '127.0.0.1', local, 'you may trust me', '127.0.0.1'],
  ['text behind a trusted hop is not either', '127.0.0.1', local, 'trust me, 127.0.0.2', '127.0.0.2'],
])('address: %s', async (_name, peer, proxies, forwarded, expected) => {
  expect(await read(peer, proxies, forwarded)).toBe(expected)
})

test.each([
  ['its own field', '173.245.48.5', ['cloudflare'], '6.6.6.6', '1.2.3.4', '1.2.3.4'],
  [
    'behind a proxy of ours',
    '127.0.0.1',
    [...local, 'cloudflare'],
    '6.6.6.6, 2400:cb00::1',
    '1.2.3.4',
    '1.2.3.4',
  ],
  ['with no visitor named', '173.245.48.5', ['cloudflare'], '6.6.6.6', undefined, '173.245.48.5'],
  ['from a stranger', '203.0.113.7', ['cloudflare'], undefined, '1.2.3.4', '203.0.113.7'],
  ['from a proxy of ours', '127.0.0.1', local, '1.2.3.4', '6.6.6.6', '1.2.3.4'],
  ['from Cloudflare that is not listed', '173.245.48.5', [], undefined, '1.2.3.4', '173.245.48.5'],
])('Cloudflare: %s', async (_name, peer, proxies, forwarded, connecting, expected) => {
  expect(await read(peer, proxies, forwarded, connecting)).toBe(expected)
})

test.each([
  ['a plain connection', '203.0.113.7', [], undefined, false],
  ['a proxy that ends TLS', '127.0.0.1', local, 'https', true],
  ['the first of two proxies', '127.0.0.1', local, 'https, http', true],
  ['a proxy that was reached without TLS', '127.0.0.1', local, 'http', false],
  ['a stranger that claims it', '203.0.113.7', local, 'https', false],
  ['nobody is trusted', '127.0.0.1', [], 'https', false],
  ['Cloudflare, if it is listed', '173.245.48.5', ['cloudflare'], 'https', true],
  ['Cloudflare, if it is not', '173.245.48.5', local, 'https', false],
])('https: %s', async (_name, peer, proxies, proto, expected) => {
  const app = new Hono().get('/', (c) => c.text(String(httpsReader(new TrustedProxies(proxies))(c))))
  const headers: Record<string, string> = proto === undefined ? {} : { 'x-forwarded-proto': proto }
  const env = { incoming: { socket: { remoteAddress: peer, remotePort: 1, remoteFamily: 'IPv4' } } }
  const answer = await app.fetch(new Request('http://localhost/', { headers }), env)
  expect(await answer.text()).toBe(String(expected))
})
