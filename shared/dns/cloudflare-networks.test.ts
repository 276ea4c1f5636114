/** What Cloudflare's list of networks may look like, and what a broken or hostile server makes of it. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { cloudflareAsker } from './cloudflare-networks.ts'

const signal = new AbortController().signal
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function ask(answer: RequestListener, until = signal) {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return cloudflareAsker(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)(until)
}

const says =
  (status: number, body: unknown): RequestListener =>
  (request, response) => {
    response.writeHead(request.url === '/ips' ? status : 404)
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
const list = (ipv4: readonly unknown[], ipv6: readonly unknown[], success = true) => ({
  success,
  errors: [],
  messages: [],
  result: { ipv4_cidrs: ipv4, ipv6_cidrs: ipv6, etag: 'x' },
})

test('the networks of both families', async () => {
  expect(await ask(says(200, list(['104.16.0.0/13'], ['2400:cb00::/32'])))).toEqual([
    '104.16.0.0/13',
    '2400:cb00::/32',
  ])
})

test.each([
  ['an outage', says(502, '<html>'), 'proxies.unavailable'],
  ['a limit', says(429, list([], [], false)), 'proxies.unavailable'],
  ['HTML with 200', says(200, '<html>'), 'proxies.unavailable'],
  ['a giant answer', says(200, list(Array(9_000).fill('104.16.0.0/13'), [])), 'proxies.unavailable'],
  [
    'a redirect',
    ((_, response) => response.writeHead(302, { location: '/ips' }).end()) as RequestListener,
    'proxies.unavailable',
  ],
  ['success: false', says(200, list(['104.16.0.0/13'], [], false)), 'proxies.refused'],
  ['a name for a network', says(200, list(['cloudflare.com'], [])), 'proxies.refused'],
  ['a list in a list', says(200, list([['104.16.0.0/13']], [])), 'proxies.refused'],
  ['an IPv6 network among IPv4 ones', says(200, list(['::/0'], [])), 'proxies.refused'],
  ['nothing', says(200, 'null'), 'proxies.refused'],
])('%s has its code', async (_, answer, key) => {
  await expect(ask(answer)).rejects.toMatchObject({ key })
})

test('a silent server is left when the job ends', async () => {
  const stop = new AbortController()
  const asking = ask(() => stop.abort(), stop.signal)
  await expect(asking).rejects.toMatchObject({ key: 'proxies.unavailable' })
})
