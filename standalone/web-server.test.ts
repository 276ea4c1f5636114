import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import { systemClock } from '@porttunneler/shared/base/clock'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readWebFiles } from './web-files.ts'
import { type Fetch, listen, makeWeb } from './web-server.ts'

const script = 'export const a = 1\n'.repeat(100)
let folder: string
let web: Fetch
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-web-'))
  mkdirSync(join(folder, 'assets'))
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>console</title>')
  writeFileSync(join(folder, 'assets', 'main-x1.js'), script)
  mkdirSync(join(folder, 'docs'))
  writeFileSync(join(folder, 'docs', 'index.html'), '<!doctype html><title>documentation</title>')
  writeFileSync(join(folder, 'docs', 'faq.html'), '<!doctype html><title>questions</title>')
  web = makeWeb({
    api: (request) => new Response(`api ${new URL(request.url).pathname}`, { status: 404 }),
    files: readWebFiles(folder),
    liveOrigins: () => ['http://relay.localhost:8480'],
    isHttps: true,
    names: ['console.example.com'],
  })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const get = (path: string, init?: RequestInit) => web(new Request(`http://localhost${path}`, init), {})

describe('web server', () => {
  test.each([
    ['/', 200, 'console'],
    ['/tunnels/tun_1', 200, 'console'],
    ['/v1/nothing', 404, 'api /v1/nothing'],
    ['/.well-known/jwks.json', 404, 'api'],
    ['/v1x', 200, 'console'],
    ['/missing.js', 404, 'Not found'],
    ['/assets/../../package.json', 404, 'Not found'],
    ['/assets/%2e%2e%2fpackage.json', 404, 'Not found'],
    ['/errors/PT-5102', 200, 'Port taken'],
    ['/errors', 200, 'PT-5102'],
    ['/errors/PT-9999', 404, 'No such code'],
    ['/docs', 301, ''],
    ['/docs/', 200, 'documentation'],
    ['/docs/faq.html', 200, 'questions'],
    ['/docs/missing.html', 404, 'Not found'],
    ['/docs/missing', 200, 'console'],
  ])('%s answers %i', async (path, status, text) => {
    const answer = await get(path)
    expect(answer.status).toBe(status)
    expect(await answer.text()).toContain(text)
  })

  test('the folder of the documentation leads to itself with its slash, and never to another host', async () => {
    expect((await get('/docs')).headers.get('location')).toBe('/docs/')
    expect((await get('//docs')).headers.get('location')).toBeNull()
    expect((await get('/docs/')).headers.get('content-security-policy')).toContain("default-src 'self'")
  })

  test('once there is a certificate, a page that is asked for by http leads to https; all else stays', async () => {
    let secureUrl: string | undefined
    const fetch = makeWeb({
      api: () => new Response('api'),
      files: readWebFiles(folder),
      liveOrigins: () => [],
      isHttps: true,
      names: ['console.example.com'],
      secureUrl: () => secureUrl,
    })
    const plain = { incoming: { socket: new Socket() } }
    const ask = async (
      url: string,
      { env = plain, headers = {} }: { env?: object; headers?: Record<string, string> } = {},
    ) => {
      const answer = await fetch(new Request(url, { headers }), env)
      return answer.headers.get('location') ?? answer.status
    }
    const page = 'http://console.example.com:8400//evil.test/x?y=z'
    expect(await ask('http://console.example.com:8400/tunnels')).toBe(200)
    secureUrl = 'https://console.example.com:8400'
    expect(await ask(page)).toBe('https://console.example.com:8400//evil.test/x?y=z')
    expect(await ask('http://console.example.com:8400/v1/me')).toBe(200)
    expect(await ask('http://localhost:8400/tunnels')).toBe(200)
    expect(await ask('http://127.0.0.1:8400/tunnels')).toBe(200)
    const tls = { incoming: { socket: new TLSSocket(new Socket()) } }
    expect(await ask('https://console.example.com:8400/tunnels', { env: tls })).toBe(200)
    const headers = { 'x-forwarded-proto': 'https' }
    expect(await ask('http://console.example.com:8400/tunnels', { headers })).toBe(200)
  })

  test('pages may call the relays, the code pages may call nobody', async () => {
    const policyOf = async (path: string) => (await get(path)).headers.get('content-security-policy')
    expect(await policyOf('/')).toContain("connect-src 'self' http://relay.localhost:8480;")
    expect(await policyOf('/errors')).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/)
  })

  test('every answer has the security headers, also the API’s', async () => {
    for (const path of ['/', '/v1/me', '/errors', '/missing.js']) {
      const { headers } = await get(path)
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('strict-transport-security')).toContain('max-age')
    }
  })

  test('hashed files are cached for ever, pages are requested again and get 304', async () => {
    expect((await get('/assets/main-x1.js')).headers.get('cache-control')).toContain('immutable')
    const page = await get('/')
    expect(page.headers.get('cache-control')).toBe('no-cache')
    const again = await get('/', { headers: { 'if-none-match': page.headers.get('etag') ?? '' } })
    expect(again.status).toBe(304)
  })

  test('text is compressed for clients that accept gzip', async () => {
    const answer = await get('/assets/main-x1.js', { headers: { 'accept-encoding': 'br, gzip' } })
    expect(answer.headers.get('content-encoding')).toBe('gzip')
    expect(gunzipSync(Buffer.from(await answer.arrayBuffer())).toString()).toBe(script)
    expect(await (await get('/assets/main-x1.js')).text()).toBe(script)
  })

  test('writing to a page is refused', async () => {
    expect((await get('/', { method: 'POST' })).status).toBe(405)
  })

  test.each([
    ['localhost', 200],
    ['hello.localhost:8400', 200],
    ['127.0.0.1', 200],
    ['[::1]:8400', 200],
    ['203.0.113.7', 200],
    ['CONSOLE.example.com:443', 200],
    ['evil.example', 421],
    ['console.example.com.evil.example', 421],
    ['127.0.0.1.evil.example', 421],
  ])('a request for the host %s gets %i, as a page and in the API', async (host, status) => {
    const { port, close } = await listen(web, { host: '127.0.0.1', port: 0, clock: systemClock })
    const page = await ask(port, `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
    expect(page).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    const api = await ask(port, `POST /v1/x HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
    expect(api).toMatch(status === 421 ? /^HTTP\/1.1 421 .*problem\+json.*PT-0033/s : /api \/v1\/x/)
    if (status === 421) for (const text of [page, api]) expect(text).toContain('public.names')
    await close(0)
  })

  test('a missing build is reported with its cure', () => {
    expect(() => readWebFiles(join(folder, 'assets'))).toThrow(/PT-5107/)
    expect(() => readWebFiles(join(folder, 'none'))).toThrow(/PT-5107/)
  })

  test('a taken port and a foreign address are told apart', async () => {
    const first = await listen(web, { host: '127.0.0.1', port: 0, clock: systemClock })
    const again = listen(web, { host: '127.0.0.1', port: first.port, clock: systemClock })
    await expect(again).rejects.toThrow(/PT-5102 127\.0\.0\.1 port \d+/)
    const foreign = listen(web, { host: '192.0.2.1', port: 0, clock: systemClock })
    await expect(foreign).rejects.toThrow(/PT-5104/)
    expect(await (await fetch(`http://127.0.0.1:${first.port}/errors/PT-5102`)).text()).toContain(
      'Port taken',
    )
    await first.close(0)
  })
})

/** What a server sends in reply to `bytes` until it closes. */
async function ask(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.end(bytes)
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

test('400 half heads and half bodies of one source stay within limits while others are served', async () => {
  const bounds = { silentMax: 40, connectionsMax: 100 }
  const where = { host: '127.0.0.1', port: 0, clock: systemClock, bounds }
  const { port, close } = await listen(async (request) => new Response(await request.text()), where)
  const begins = ['GET / HTTP/1.1\r\nhost: x\r\n', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1']
  let open = 0
  let wake = () => {}
  const crowd = Array.from({ length: 800 }, (_, index) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    open += 1
    socket.on('error', () => {})
    socket.on('close', () => {
      open -= 1
      wake()
    })
    socket.write(begins[index % 2] ?? '')
    return socket
  })
  while (open > bounds.connectionsMax) await new Promise<void>((resolve) => (wake = resolve))
  for (const from of ['127.0.1.1', '127.0.1.2', '127.0.1.3']) {
    const honest = connect({ port, host: '127.0.0.1', localAddress: from })
    honest.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello')
    const [answer] = await once(honest, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200.*hello$/s)
    honest.destroy()
  }
  for (const socket of crowd) socket.destroy()
  await close(0)
})

test('hundreds of connections that half-close, silent or in a head or body, are closed at once', async () => {
  const where = { host: '127.0.0.1', port: 0, clock: systemClock, bounds: { silentMax: 1_000 } }
  const { port, close } = await listen(async (request) => new Response(await request.text()), where)
  const begins = [
    '',
    'GET / HTTP/1.1\r\nhost: x\r\n',
    'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1',
  ]
  const crowd = Array.from({ length: 600 }, (_, index) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {}).resume()
    socket.end(begins[index % begins.length] ?? '')
    // At any end: `once` would reject at a reset.
    return new Promise<void>((resolve) => socket.once('close', () => resolve()))
  })
  await Promise.all(crowd)
  await close(0)
})

test('it does not wait for a body that does not come', async () => {
  const times = { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 20 }
  const where = { host: '127.0.0.1', port: 0, clock: systemClock, bounds: { times } }
  const { port, close } = await listen(async (request) => new Response(await request.text()), where)
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1')
  const [answer] = await once(socket, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /)
  await once(socket, 'close')
  await close(0)
})

test('whoever keeps the console waiting for a request head makes way, and the others are served', async () => {
  const { port, close } = await listen(() => new Response('here'), {
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
  })
  let dropped = 0
  const half = (localAddress: string) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    socket.on('error', () => {})
    socket.on('close', () => {
      dropped += 1
      wake()
    })
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n')
    return socket
  }
  let wake = () => {}
  const honest = half('127.0.1.1')
  await once(honest, 'connect')
  const crowd = Array.from({ length: 600 }, () => half('127.0.0.2'))
  while (dropped < 101) await new Promise<void>((resolve) => (wake = resolve))
  expect(honest.destroyed, 'who came first, from elsewhere').toBe(false)
  honest.write('\r\n')
  const [answer] = await once(honest, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200/)
  for (const socket of [honest, ...crowd]) socket.destroy()
  await close(0)
})
