import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { systemClock } from '@porttunneler/shared/base/clock'
import { afterEach, describe, expect, test } from 'vitest'
import { get } from '../testing/gate-rig.ts'
import { post, settled, useInspectorRigs } from '../testing/inspector-rig.ts'
import { tokenHeader } from './guard.ts'
import { type InspectorServer, serveInspector } from './server.ts'

const open = useInspectorRigs()
const servers: InspectorServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

type Answer = {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
}

async function serving(...rig: Parameters<typeof open>) {
  const opened = await open(...rig)
  const server = await serveInspector(opened.inspector, {
    clock: systemClock,
    port: 0,
    folder: import.meta.dirname,
  })
  servers.push(server)
  const { port } = new URL(server.url)
  const call = (
    method: string,
    path: string,
    options: { headers?: Record<string, string>; body?: unknown } = {},
  ) =>
    new Promise<Answer>((resolve, reject) => {
      const headers = {
        [tokenHeader]: opened.inspector.token,
        ...options.headers,
      }
      const sent = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (response) => {
        let text = ''
        response.setEncoding('latin1').on('data', (part) => {
          text += part
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        )
      })
      sent.on('error', reject)
      sent.end(options.body === undefined ? undefined : JSON.stringify(options.body))
    })
  return { ...opened, server, port: Number(port), call }
}

const hello: Parameters<typeof open>[0] = (_request, response) => response.end('hello')

describe('who may ask', () => {
  test.each([
    ['a name that leads here (DNS rebinding)', { host: 'evil.test:4040' }],
    ['this machine by a name of its own', { host: 'localhost.evil.test' }],
    ['the port of somebody else', { host: '127.0.0.1:1' }],
    ['a page of another origin', { origin: 'https://evil.test' }],
    ['a page without an origin', { origin: 'null' }],
    ['a page of another port of this machine', { origin: 'http://127.0.0.1:3000' }],
    ['a picture or script of another page', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
    ['a frame of a page on another port', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate' }],
  ])('not %s', async (_who, headers) => {
    const { call } = await serving(hello)
    const answer = await call('GET', '/api/about', { headers })
    expect(answer.status).toBe(403)
    expect(answer.text).toContain('PT-6095')
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  test.each([
    ['DELETE', '/api/requests'],
    ['POST', '/api/requests/1/replay'],
    ['POST', '/api/requests/1/pin'],
    ['POST', '/api/resend-last'],
  ])('%s %s needs the token', async (method, path) => {
    const { call, inspector, ask } = await serving(hello)
    await ask(get())
    for (const token of ['', 'x', `${inspector.token}x`, inspector.token.toLowerCase()])
      expect((await call(method, path, { headers: { [tokenHeader]: token } })).status).toBe(401)
    expect(inspector.recorder.lastId).toBe(1)
    expect(inspector.recorder.ring.size).toBe(1)
  })

  test.each(['/api/about', '/api/requests', '/api/requests.har', '/api/live', '/api/connections'])(
    'another user of this machine gets nothing of %s',
    async (path) => {
      const { call, inspector } = await serving(hello)
      for (const token of ['', 'x', inspector.token.slice(1)]) {
        const answer = await call('GET', `${path}?token=${token}`, { headers: { [tokenHeader]: token } })
        expect(answer.status).toBe(401)
        expect(answer.text).toContain('PT-6097')
        expect(answer.text).not.toContain(inspector.token)
      }
    },
  )

  test('pictures and downloads have the token in their address, and changes never', async () => {
    const { call, inspector } = await serving(hello)
    const headers = { [tokenHeader]: '' }
    const { token } = inspector
    expect((await call('GET', `/api/requests.har?token=${token}`, { headers })).status).toBe(200)
    expect((await call('POST', `/api/resend-last?token=${token}`, { headers })).status).toBe(401)
    expect((await call('DELETE', `/api/requests?token=${token}`, { headers })).status).toBe(401)
  })

  test('a link of another page may open the page itself', async () => {
    const { call } = await serving(hello)
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    const answer = await call('GET', '/requests/1', { headers })
    expect(answer).toMatchObject({ status: 404 })
    expect(answer.text).toContain('not built')
  })

  test('every answer forbids frames, guessing, keeping and foreign scripts', async () => {
    const { call } = await serving(hello)
    for (const path of ['/api/about', '/', '/nowhere', '/api/live/x']) {
      const { headers } = await call('GET', path)
      expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'")
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['cache-control']).toBe('no-store')
      expect(headers['cross-origin-resource-policy']).toBe('same-origin')
    }
  })

  test.each([
    '/../package.json',
    '/..%2f..%2fpackage.json',
    '/server.ts',
    '//etc/passwd',
    '/assets/../server.test.ts',
    '/%00.js',
  ])('no file but those of the page: %s', async (path) => {
    const { call } = await serving(hello)
    expect((await call('GET', path)).status).toBe(404)
  })
})

describe('floods', () => {
  test('a head of 20 kB is cut off, and a body of 9 MB refused', async () => {
    const { call } = await serving(hello)
    await expect(call('GET', '/api/about', { headers: { x: 'y'.repeat(20_000) } })).rejects.toThrow(
      /hang up|ECONNRESET/,
    )
    const answer = await call('POST', '/api/resend-last', { body: 'x'.repeat(9_000_000) }).catch(
      () => undefined,
    )
    expect(answer?.status ?? 400).toBe(400)
  })

  test('64 connections that say nothing keep nobody out for longer than they live', async () => {
    const { port, call } = await serving(hello)
    const sockets = Array.from({ length: 70 }, () => connect(port, '127.0.0.1').on('error', () => {}))
    await Promise.all(
      sockets.slice(0, 60).map((socket) => new Promise((resolve) => socket.once('connect', resolve))),
    )
    for (const socket of sockets) socket.destroy()
    await expect
      .poll(
        () =>
          call('GET', '/api/about').then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 5_000 },
      )
      .toBe(200)
  })

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)('a bomb of %s unpacks to four megabytes and no more', async (coding, pack) => {
    const bomb = pack(Buffer.alloc(60_000_000))
    const { call, ask } = await serving((_request, response) => {
      response.writeHead(200, { 'content-encoding': coding })
      response.end(bomb)
    })
    await ask(get())
    const raw = await call('GET', '/api/requests/1/raw?of=answer')
    expect(raw.text.length).toBe(4_000_000)
    expect(JSON.parse((await call('GET', '/api/requests/1/body?of=answer')).text)).toMatchObject({
      isCut: true,
    })
  })
})

describe('what strangers sent', () => {
  test('is never served as a page: HTML and SVG come as text in JSON or as a download', async () => {
    const evil = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
    const { call, ask } = await serving((_request, response) => {
      response.writeHead(200, { 'content-type': 'image/svg+xml' })
      response.end(evil)
    })
    await ask(post('/', '<script>alert(1)</script>', 'Content-Type: text/html\r\n'))
    for (const of of ['request', 'answer']) {
      const raw = await call('GET', `/api/requests/1/raw?of=${of}`)
      expect(raw.headers['content-type']).toBe('application/octet-stream')
      expect(raw.headers['content-disposition']).toMatch(/^attachment;/)
      expect((await call('GET', `/api/requests/1/picture?of=${of}`)).status).toBe(404)
      expect((await call('GET', `/api/requests/1/body?of=${of}`)).headers['content-type']).toBe(
        'application/json',
      )
    }
    for (const as of ['curl', 'fetch', 'har'])
      expect((await call('GET', `/api/requests/1/copy?as=${as}`)).headers['content-type']).toMatch(
        /^text\/plain/,
      )
  })

  test('is a picture only by its first bytes', async () => {
    const png = Buffer.from('89504e470d0a1a0a0000', 'hex')
    const { call, ask } = await serving((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end(png)
    })
    await ask(get())
    const picture = await call('GET', '/api/requests/1/picture?of=answer')
    expect(picture.headers['content-type']).toBe('image/png')
  })
})

describe('the list', () => {
  test('is read by cursor, newest first, and filtered by every part', async () => {
    const { call, ask } = await serving((request, response) => {
      response.statusCode = request.url === '/missing' ? 404 : 200
      response.setHeader('x-kind', request.url ?? '')
      response.end(`answer to ${request.url}`)
    })
    for (const path of ['/one', '/two', '/missing'])
      await ask(post(path, `body of ${path}`, 'X-Mine: Yes\r\n'))
    const list = async (query: string) => {
      const { status, text } = await call('GET', `/api/requests?${query}`)
      if (status !== 200) return status
      const { requests, next } = JSON.parse(text)
      return { ids: requests.map(({ id }: { id: number }) => id), next }
    }
    expect(await list('')).toEqual({ ids: [3, 2, 1] })
    expect(await list('limit=2')).toEqual({ ids: [3, 2], next: 2 })
    expect(await list('limit=2&before=2')).toEqual({ ids: [1] })
    expect(await list('status=404')).toEqual({ ids: [3] })
    expect(await list('status=4xx')).toEqual({ ids: [3] })
    expect(await list('status=error')).toEqual({ ids: [3] })
    expect(await list('path=ONE')).toEqual({ ids: [1] })
    expect(await list('header=x-mine: yes'.replace(' ', '%20'))).toEqual({ ids: [3, 2, 1] })
    expect(await list('header=x-kind:%20/two')).toEqual({ ids: [2] })
    expect(await list('body=answer%20to%20/two')).toEqual({ ids: [2] })
    expect(await list('tunnel=other')).toEqual({ ids: [] })
    expect(await list('status=abc')).toBe(400)
    expect(await list('unknown=1')).toBe(400)
  })

  test('pins, which stay when the list is cleared', async () => {
    const { call, ask } = await serving(hello)
    for (const path of ['/one', '/two']) await ask(get('', path))
    expect((await call('POST', '/api/requests/1/pin', { body: { pinned: true } })).text).toContain(
      '"isPinned":true',
    )
    expect((await call('DELETE', '/api/requests')).status).toBe(200)
    expect(JSON.parse((await call('GET', '/api/requests')).text).requests).toHaveLength(1)
    expect((await call('GET', '/api/requests/2')).text).toContain('PT-6091')
  })

  test('a replay by the API makes a request, and a listener hears of it', async () => {
    const { call, ask, inspector, server } = await serving(hello)
    await ask(get())
    const stop = new AbortController()
    const live = await fetch(`${server.url}/api/live?token=${inspector.token}`, { signal: stop.signal })
    const reader = live.body?.getReader()
    await reader?.read()
    const { text } = await call('POST', '/api/requests/1/replay', { body: { target: '/again' } })
    expect(JSON.parse(text)).toEqual({ ids: [2], revealed: 0 })
    await settled(inspector, 2)
    const heard = await reader?.read()
    expect(Buffer.from(heard?.value ?? []).toString()).toMatch(/^data: \{"revision":\d+\}/)
    stop.abort()
  })
})
