/**
 * A server behind nginx, which ends TLS, with the configuration of docs/operations.md: applications get the visitor's
 * address, scheme and host as if nginx were not there.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { selfSignedIdentity } from '@porttunneler/relay-vm/certificate'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type Agent, startAgent } from './harness/agent.ts'
import { within } from './harness/events.ts'
import { type Nginx, runNginx } from './harness/nginx.ts'
import { root } from './harness/programs.ts'
import {
  freeSettings,
  makeKey,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'
import { describeWith } from './requirements.ts'

/** What many frameworks do: it redirects plain HTTP to https, in a loop if the proxy's scheme is lost. */
function forceHttps({ headers, url }: IncomingMessage, response: ServerResponse): void {
  if (headers['x-forwarded-proto'] === 'https') response.end(JSON.stringify(headers))
  else response.writeHead(301, { location: `https://${headers.host}${url}` }).end()
}

/** The manual's example with the paths and ports of this test. */
async function nginxOf(folder: string, port: number, httpPort: string): Promise<Nginx> {
  const manual = readFileSync(join(root, 'docs/operations.md'), 'utf8')
  const example = /```nginx\n(.*?)```/s.exec(manual)?.[1] ?? ''
  const { certificate, key } = await selfSignedIdentity(folder, { names: ['*.localhost'], nowMs: Date.now() })
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  writeFileSync(certFile, certificate)
  writeFileSync(keyFile, key.reveal(), { mode: 0o600 })
  const changes = [
    ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
    ['127.0.0.1:8480', `127.0.0.1:${httpPort}`],
    ['.tunnels.example.com', '.localhost'],
    ['/etc/ssl/tunnels.pem', certFile],
    ['/etc/ssl/tunnels.key', keyFile],
  ] as const
  return await runNginx(
    port,
    changes.reduce((text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`The example lacks ${from}`)
      return text.replaceAll(from, to)
    }, example),
  )
}

describeWith(['nginx'], 'behind nginx', () => {
  const folder = temporaryFolder('behind-nginx')
  let server: Standalone
  let nginx: Nginx
  let agent: Agent
  let web: HttpUpstream
  let shop: HttpUpstream
  beforeAll(async () => {
    const [port = 0] = await freePorts(1)
    const settings = await freeSettings()
    server = await startStandalone({
      folder,
      env: { ...settings, PORTTUNNELER_TRUSTED_PROXIES: '127.0.0.1' },
    })
    nginx = await nginxOf(folder, port, settings.PORTTUNNELER_HTTP_PORT ?? '')
    web = await startHttp({ '/': forceHttps })
    shop = await startHttp({ '/': forceHttps })
    const { account = { email: '', password: '' } } = server.file
    const service = { api: new URL(server.file.api).origin, account }
    agent = await startAgent(
      { ...service, key: await makeKey(service) },
      { web: { kind: 'http', upstream: web.port }, shop: { kind: 'http', upstream: shop.port } },
    )
    await agent.online('web')
    await agent.online('shop')
  })
  afterAll(async () => {
    await agent?.stop()
    await nginx?.close()
    await server?.program.stop()
    await Promise.all([web?.close(), shop?.close()])
    rmSync(folder, { recursive: true, force: true })
  })

  function get(name: string, { from = '127.0.0.1', headers = {} } = {}) {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
    const host = `${name}.localhost`
    const asked = request({
      host: '127.0.0.1',
      port: nginx.port,
      servername: host,
      localAddress: from,
      rejectUnauthorized: false,
      agent: false,
      headers: { host: `${host}:${nginx.port}`, ...headers },
    })
    asked.on('error', reject).on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    asked.end()
    return within(promise, 'the answer')
  }

  test('an app that forces https works, and sees the visitor', async () => {
    const { status, body } = await get('web', { from: '127.0.0.9' })
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({
      host: `web.localhost:${nginx.port}`,
      'x-forwarded-for': '127.0.0.9',
      'x-forwarded-host': `web.localhost:${nginx.port}`,
      'x-forwarded-proto': 'https',
    })
  })

  test('over the connections that nginx keeps, each visitor and each host gets its own answers', async () => {
    for (const [from, name] of [
      ['127.0.0.7', 'web'],
      ['127.0.0.8', 'web'],
      ['127.0.0.8', 'shop'],
      ['127.0.0.7', 'shop'],
      ['127.0.0.7', 'web'],
    ] as const) {
      const { body } = await get(name, { from })
      expect(JSON.parse(body)).toMatchObject({
        'x-forwarded-for': from,
        'x-forwarded-host': `${name}.localhost:${nginx.port}`,
      })
    }
  })

  test('forwarding fields of a visitor are not believed', async () => {
    const headers = {
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-host': 'shop.localhost',
      'x-real-ip': '6.6.6.6',
      forwarded: 'for=6.6.6.6;host=shop.localhost;proto=http',
    }
    const { body } = await get('web', { from: '127.0.0.9', headers })
    expect(body).not.toContain('6.6.6.6')
    expect(JSON.parse(body)).toMatchObject({
      'x-forwarded-for': '127.0.0.9',
      'x-forwarded-host': `web.localhost:${nginx.port}`,
    })
  })

  test('a WebSocket goes through', async () => {
    const servername = 'web.localhost'
    const socket = new WebSocket(`wss://${servername}:${nginx.port}/ws`, {
      createConnection: () =>
        connectTls({ host: '127.0.0.1', port: nginx.port, servername, rejectUnauthorized: false }),
    })
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    socket.on('error', reject).on('open', () => socket.send('hello'))
    socket.on('message', (data) => resolve(String(data)))
    expect(await within(promise, 'the echo')).toBe('hello')
    socket.terminate()
  })

  test('forwarding fields from anybody but nginx are not believed: the app redirects to https', async () => {
    const { hostname, port } = new URL(await agent.online('web'))
    const socket = connect({
      host: '127.0.0.1',
      port: Number(port),
      localAddress: '127.0.0.9',
    })
    const heard = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(String(bytes))))
    socket.write(`GET / HTTP/1.1\r\nHost: ${hostname}\r\nX-Forwarded-Proto: https\r\n\r\n`)
    expect(await within(heard, 'the redirect')).toMatch(/^HTTP\/1.1 301 /)
    socket.destroy()
  })
})
