/** What webhooks are sent by, over real TLS to a server with a certificate of a test authority. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { openPublicPost } from '@porttunneler/shared/dns/public-post'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { issueLeaf, makeAuthority } from './local-authority.ts'

const host = 'hooks.test'
const authority = makeAuthority([host], Date.now())
const resolve = async () => [{ address: '127.0.0.1', family: 4 }]
const trusting = openPublicPost({ mayReach: () => true, ca: authority.root, resolve })
const never = new AbortController().signal
let server: Server
let port: number
let received: { url: string; headers: IncomingMessage['headers']; body: string }[]
let answer: (response: ServerResponse) => void

beforeAll(async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const cert = issueLeaf(authority, { hosts: [host], spki, nowMs: Date.now() })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  server = createServer({ key, cert }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { url = '', headers } = request
      received.push({ url, headers, body: Buffer.concat(chunks).toString() })
      answer(response)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  received = []
  answer = (response) => response.writeHead(204).end()
})

const sentTo = (post = trusting, name = host, path = '/in?a=1') =>
  post({ url: `https://${name}:${port}${path}`, headers: { 'webhook-id': 'dlv_1' }, body: '{"é":1}' }, never)

test('body and headers arrive as they were signed, at the address that was checked', async () => {
  expect(await sentTo()).toEqual({ status: 204, text: '' })
  expect(received).toMatchObject([
    { url: '/in?a=1', headers: { 'webhook-id': 'dlv_1', host: `${host}:${port}` }, body: '{"é":1}' },
  ])
})

test('a redirect is an answer, and leads nowhere', async () => {
  answer = (response) => response.writeHead(302, { location: `https://${host}:${port}/other` }).end('moved')
  expect(await sentTo()).toEqual({ status: 302, text: 'moved' })
  expect(received).toHaveLength(1)
})

test('of a long answer the status is what counts', async () => {
  answer = (response) => response.writeHead(500).end('x'.repeat(1024 * 1024))
  expect(await sentTo()).toEqual({ status: 500, text: '' })
})

test.each([
  ['an authority that nobody trusts', openPublicPost({ mayReach: () => true, resolve }), host],
  ['a certificate of another name', trusting, 'other.test'],
])('%s gets nothing', async (_what, post, name) => {
  await expect(sentTo(post, name)).rejects.toMatchObject({
    key: 'webhook.failed',
    detail: expect.stringMatching(/^Its certificate is not valid/),
  })
  expect(received).toEqual([])
})

test('a private address is refused, also as one among public ones, or written as a number', async () => {
  const open = openPublicPost({ ca: authority.root, resolve })
  await expect(sentTo(open)).rejects.toMatchObject({ key: 'webhook.address' })
  const mixed = openPublicPost({
    ca: authority.root,
    resolve: async () => [{ address: '192.0.43.8', family: 4 }, ...(await resolve())],
  })
  await expect(sentTo(mixed)).rejects.toMatchObject({ key: 'webhook.address' })
  for (const name of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433'])
    await expect(sentTo(openPublicPost({ ca: authority.root }), name)).rejects.toMatchObject({
      key: 'webhook.address',
    })
  expect(received).toEqual([])
})

test('nobody there, and a caller who waits no longer, are said in words', async () => {
  const free = await freePort()
  const url = `https://${host}:${free}/`
  await expect(trusting({ url, headers: {}, body: '' }, never)).rejects.toMatchObject({
    detail: 'Nothing listens at its address.',
  })
  answer = () => {}
  const leaving = new AbortController()
  const waiting = trusting({ url: `https://${host}:${port}/`, headers: {}, body: '' }, leaving.signal)
  await expect.poll(() => received.length, { timeout: 5_000 }).toBe(1)
  leaving.abort()
  await expect(waiting).rejects.toMatchObject({ key: 'webhook.failed' })
})
