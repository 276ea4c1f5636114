import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Secret } from '@porttunneler/shared/base/secret'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { googleCredential } from './google-credential.ts'
import { instanceIdentity } from './platform/metadata.google.ts'

const audience = 'https://control.example.com'
const hourMs = 3_600_000
const { signal } = new AbortController()

const tokenUntil = (expiresMs: number) => {
  const payload = Buffer.from(JSON.stringify({ aud: audience, exp: expiresMs / 1_000 })).toString('base64url')
  return new Secret(`e30.${payload}.c2ln`)
}

describe('google credential', () => {
  let nowMs = 0
  let asked = 0
  let isAway = false
  const bearer = () =>
    googleCredential({
      audience,
      time: { now: () => nowMs },
      ask: async () => {
        asked += 1
        if (isAway) throw new Error('away')
        return tokenUntil(nowMs + hourMs)
      },
    })
  beforeEach(() => {
    nowMs = 1_000_000
    asked = 0
    isAway = false
  })

  test('a token is used until ten minutes before its end, then a fresh one is requested', async () => {
    const credential = bearer()
    const first = await credential(signal)
    nowMs += hourMs - 600_001
    expect(await credential(signal)).toBe(first)
    nowMs += 1
    expect((await credential(signal)).reveal()).not.toBe(first.reveal())
    expect(asked).toBe(2)
  })

  test('while the metadata server is away the token is used up to its end, and no longer', async () => {
    const credential = bearer()
    const first = await credential(signal)
    isAway = true
    nowMs += hourMs - 1_000
    expect(await credential(signal)).toBe(first)
    nowMs += 1_000
    await expect(credential(signal)).rejects.toThrow('away')
    isAway = false
    expect((await credential(signal)).reveal()).not.toBe(first.reveal())
  })

  test('an answer that is no token is refused, and not quoted', async () => {
    const credential = googleCredential({
      audience,
      time: { now: () => nowMs },
      ask: async () => new Secret('not-a-token'),
    })
    const error: unknown = await credential(signal).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ key: 'relay.metadata' })
    expect(String(error)).not.toContain('not-a-token')
  })
})

describe('metadata server', () => {
  let server: Server
  let asked: IncomingMessage[]
  let answer = { status: 200, headers: { 'metadata-flavor': 'Google' } as Record<string, string> }

  beforeEach(async () => {
    asked = []
    answer = { status: 200, headers: { 'metadata-flavor': 'Google' } }
    server = createServer((request, response) => {
      asked.push(request)
      response.writeHead(answer.status, answer.headers).end('e30.e30.c2ln\n')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })
  const ask = () =>
    instanceIdentity(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)(audience, signal)

  test('gets a correct request: with its header, for a full token of our audience', async () => {
    expect((await ask()).reveal()).toBe('e30.e30.c2ln')
    expect(asked[0]?.headers['metadata-flavor']).toBe('Google')
    const url = new URL(asked[0]?.url ?? '', 'http://metadata')
    expect(url.pathname).toBe('/computeMetadata/v1/instance/service-accounts/default/identity')
    expect([...url.searchParams]).toEqual([
      ['audience', audience],
      ['format', 'full'],
    ])
  })

  test.each([
    ['an error', 404, { 'metadata-flavor': 'Google' }],
    ['another server at its address', 200, {}],
  ])('%s is no token', async (_what, status, headers) => {
    answer = { status, headers }
    await expect(ask()).rejects.toMatchObject({ key: 'relay.metadata' })
  })
})
