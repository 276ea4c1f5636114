import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { tunnelSchema } from './schemas/tunnels.ts'

let t: TestApi
beforeAll(async () => {
  t = await makeTestApi()
})
afterAll(() => t.close())

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  t.call(method, path, { token: t.ada, headers })

describe('api: answers that are not sent in full', () => {
  test('an answer has an ETag, and 304 follows while it is unchanged', async () => {
    const first = await get('/v1/tunnels')
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]+"$/)
    for (const asked of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await get('/v1/tunnels', { 'if-none-match': asked })
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
      expect(again.headers.get('content-security-policy')).toContain("default-src 'none'")
    }
    await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name: 'db', kind: 'tcp' } })
    const changed = await get('/v1/tunnels', { 'if-none-match': etag })
    expect(changed.status).toBe(200)
    expect(changed.headers.get('etag')).not.toBe(etag)
  })

  test("a tunnel's ETag stays its revision, which If-Match takes", async () => {
    const json = { name: 'web', kind: 'http' }
    const made = await t.call('POST', '/v1/tunnels', { token: t.ada, json })
    const path = `/v1/tunnels/${tunnelSchema.parse(await made.json()).id}`
    const { headers } = await get(path)
    expect(headers.get('etag')).toBe('"1"')
    expect((await get(path, { 'if-none-match': '"1"' })).status).toBe(304)
  })

  test.each([
    ['gzip', true],
    ['br, gzip;q=0.5', true],
    ['gzip;q=0', false],
    ['gzip; q=0.0', false],
    ['br', false],
    ['', false],
  ])('a long answer for a reader that takes %j is compressed: %s', async (accepts, isCompressed) => {
    const answer = await get('/v1/openapi.json', { 'accept-encoding': accepts })
    const body = Buffer.from(await answer.arrayBuffer())
    expect(answer.headers.get('content-encoding')).toBe(isCompressed ? 'gzip' : null)
    expect(answer.headers.get('vary')).toBe('accept-encoding')
    const text = (isCompressed ? gunzipSync(body) : body).toString()
    expect(JSON.parse(text).openapi).toBe('3.1.0')
    if (isCompressed) expect(body.length * 3).toBeLessThan(text.length)
  })

  test('a short answer, and one that holds a secret, are not compressed', async () => {
    const headers = { 'accept-encoding': 'gzip' }
    expect((await get('/v1/health', headers)).headers.get('content-encoding')).toBeNull()
    const json = { name: 'x', scopes: ['read'] }
    const made = await t.call('POST', '/v1/keys', { token: t.ada, json, headers })
    expect([made.status, made.headers.get('content-encoding'), made.headers.get('etag')]).toEqual([
      201,
      null,
      null,
    ])
  })
})

describe('api: methods', () => {
  test.each([
    ['PUT', '/v1/tunnels', 'GET, HEAD, POST'],
    ['OPTIONS', '/v1/tunnels', 'GET, HEAD, POST'],
    ['DELETE', '/v1/health', 'GET, HEAD'],
    ['POST', '/v1/openapi.json', 'GET, HEAD'],
    ['PUT', `/v1/tunnels/tun_${'0'.repeat(26)}`, 'GET, HEAD, PATCH, DELETE'],
    ['GET', '/v1/leases', 'POST'],
  ])('%s %s: 405 with the allowed methods', async (method, path, allow) => {
    const answer = await get(path, {}, method)
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow])
    expect(await answer.json()).toMatchObject({ code: 'PT-0035' })
  })

  test('HEAD is GET without the body, and an address of nothing stays 404', async () => {
    const head = await get('/v1/tunnels', {}, 'HEAD')
    expect([head.status, await head.text()]).toEqual([200, ''])
    const nothing = await get('/v1/tunnels/x/y', {}, 'PUT')
    expect([nothing.status, nothing.headers.get('allow')]).toEqual([404, null])
  })

  test('usage up to the first day of the epoch begins no earlier', async () => {
    const answer = await get('/v1/usage?to=0')
    expect([answer.status, await answer.json()]).toEqual([200, expect.objectContaining({ from: 0, to: 0 })])
  })
})
