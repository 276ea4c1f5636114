import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { addressReader } from './addresses.ts'

/** What the reader says of a request over a connection from `peer`. */
async function read(peer: string, { isProxied, forwarded }: { isProxied: boolean; forwarded?: string }) {
  const app = new Hono().get('/', (c) => c.text(addressReader({ isProxied })(c)))
  const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  const env = { incoming: { socket: { remoteAddress: peer, remotePort: 1, remoteFamily: 'IPv4' } } }
  return (await app.fetch(new Request('http://localhost/', { headers }), env)).text()
}

test.each([
  ['the connection tells', '203.0.113.7', { isProxied: false }, '203.0.113.7'],
  ['IPv4 in IPv6 is IPv4', '::ffff:203.0.113.7', { isProxied: false }, '203.0.113.7'],
  [
    'without a proxy nobody is believed',
    '127.0.0.1',
    { isProxied: false, forwarded: '1.2.3.4' },
    '127.0.0.1',
  ],
  [
    'a proxy is believed for its own entry',
    '127.0.0.1',
    { isProxied: true, forwarded: '6.6.6.6, 1.2.3.4' },
    '1.2.3.4',
  ],
  ['a stranger is not the proxy', '203.0.113.7', { isProxied: true, forwarded: '1.2.3.4' }, '203.0.113.7'],
  ['a proxy that says nothing', '::1', { isProxied: true }, '::1'],
])('address: %s', async (_name, peer, given, expected) => {
  expect(await read(peer, given)).toBe(expected)
})
