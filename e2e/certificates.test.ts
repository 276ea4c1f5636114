/**
 * A standalone server with only a domain and a mail address in its settings orders its certificates at pebble: the
 * console, live figures and every name in use are trusted under its root, and a renewal fails no request.
 */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request as requestPlain } from 'node:http'
import { Agent as ConnectionPool } from 'node:https'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Agent, startAgent } from './harness/agent.ts'
import { curl } from './harness/curl.ts'
import { eventually, patienceMs } from './harness/events.ts'
import { openTrustWorld, serviceDomain, type TrustWorld } from './harness/names-world.ts'
import { root as repository } from './harness/programs.ts'
import { makeKey, type Standalone, startStandalone, temporaryFolder } from './harness/standalone.ts'
import { Crossed, getByTls } from './harness/tls-visitors.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'
import { describeWith } from './requirements.ts'

const shop = `shop.${serviceDomain}`

describeWith(['pebble', 'pebbleNames', 'curl'], 'certificates of a standalone server', () => {
  const folder = temporaryFolder('certificates')
  let world: TrustWorld
  let server: Standalone
  let agent: Agent
  let web: HttpUpstream

  beforeAll(async () => {
    world = await openTrustWorld()
    writeFileSync(join(folder, 'standalone.yaml'), world.yaml, { mode: 0o600 })
    server = await startStandalone({ folder, env: world.env })
    web = await startHttp({ '/': (_request, response) => response.end('from the shop') })
    const { account = { email: '', password: '' } } = server.file
    const service = { api: new URL(server.file.api).origin, account }
    agent = await startAgent(
      { ...service, key: await makeKey(service) },
      { shop: { kind: 'http', upstream: web.port } },
    )
    await agent.online('shop')
  })
  afterAll(async () => {
    await agent?.stop()
    await server?.program.stop()
    await world?.close()
    await web?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const get = (host: string, port: number, options: Parameters<typeof getByTls>[1] = {}) =>
    getByTls({ host, port, root: world.root }, options)
  const ptunctl = async (...words: string[]) => {
    const { stdout } = await promisify(execFile)(
      'node',
      ['ptunctl/ptunctl.js', '--data', folder, '--json', ...words],
      {
        cwd: repository,
        env: { ...process.env, PORTTUNNELER_DATA: folder },
      },
    )
    return JSON.parse(stdout) as unknown
  }

  test('curl trusts the name of a tunnel and the console, by their names', async () => {
    await eventually('the shop is trusted', () => get(shop, world.tlsPort), 60_000)
    const ask = (host: string, port: number, path: string) =>
      curl(world.rootFile, `https://${host}:${port}${path}`)
    expect(await ask(shop, world.tlsPort, '/')).toBe('from the shop')
    await eventually('the console is trusted', () => get(serviceDomain, world.consolePort), 60_000)
    expect(await ask(serviceDomain, world.consolePort, '/v1/config')).toContain('"version"')
  })

  test('live figures are read by TLS, at the domain itself', async () => {
    const { status } = await eventually(
      'the relay itself is trusted',
      () => get(serviceDomain, world.tlsPort, { path: '/v1/live' }),
      60_000,
    )
    // There is no ticket.
    expect(status).toBe(401)
  })

  test('plain HTTP still reaches console and relay, and only the challenges are answered by the relay', async () => {
    const ask = (path: string) =>
      new Promise<string>((resolve, reject) => {
        const headers = { host: shop }
        requestPlain({ host: '127.0.0.1', port: world.httpPort, path, headers, agent: false }, (answer) => {
          let body = ''
          answer.setEncoding('utf8').on('data', (text: string) => {
            body += text
          })
          answer.on('end', () => resolve(body))
        })
          .on('error', reject)
          .end()
      })
    expect(await ask('/.well-known/acme-challenge/some-token')).toMatch(/^some-token\.[A-Za-z0-9_-]{43}$/)
    expect(await ask('/.well-known/acme-challenge/../x')).toBe('no such page')
    expect(await ask('/')).toBe('from the shop')
    expect((await fetch(`http://127.0.0.1:${world.consolePort}/v1/config`)).status).toBe(200)
  })

  test('an operator sees the certificates, and a renewal under load fails no request', async () => {
    const listed = (await ptunctl('certificates', 'list')) as { hosts: string[] }[]
    expect(listed).toMatchObject([1, 2].map(() => ({ state: 'valid', issuer: 'pebble', failures: 0 })))
    expect(listed.flatMap(({ hosts }) => hosts).sort()).toEqual([shop, serviceDomain])
    const { serial: before } = await get(shop, world.tlsPort)
    const pool = new ConnectionPool({ keepAlive: true, maxSockets: 4 })
    const failures: string[] = []
    let crossed = 0
    let sent = 0
    let after: string | undefined
    const visit = async (kept: boolean) => {
      for (let left = 25; left > 0; left -= after === undefined ? 0 : 1) {
        sent++
        try {
          const got = await get(shop, world.tlsPort, kept ? { pool } : {})
          if (got.status !== 200) failures.push(`${got.status} ${got.body}`)
          if (got.serial !== undefined && got.serial !== before && !kept) after ??= got.serial
        } catch (error) {
          if (error instanceof Crossed) crossed++
          else failures.push(String(error))
        }
      }
    }
    const visits = Promise.all([true, true, true, false, false].map(visit))
    await ptunctl('certificates', 'order', shop)
    await visits
    pool.destroy()
    expect(failures).toEqual([])
    expect(crossed, 'a kept connection ended just as it was used again').toBeLessThanOrEqual(1)
    expect(sent).toBeGreaterThan(125)
    expect(after).toBeDefined()
  })

  test('the relay keeps what it serves in its data folder', async () => {
    const read = () =>
      JSON.parse(readFileSync(join(folder, 'relay/certificates.json'), 'utf8')) as {
        certificates: { hosts: string[]; chain: string }[]
      }
    // It is written after the certificate is served.
    const kept = await vi.waitFor(
      () => {
        const file = read()
        const names = file.certificates.flatMap(({ hosts }) => hosts)
        expect(names.sort()).toEqual([shop, serviceDomain].sort())
        return file
      },
      { timeout: patienceMs, interval: 100 },
    )
    for (const { chain, hosts } of kept.certificates)
      expect(new X509Certificate(chain).checkHost(hosts[0] ?? '')).toBe(hosts[0])
  })
})
