/**
 * TLS from a visitor to the agent, with a certificate from pebble: nobody between has the key, the relay sees only the
 * name, and a renewal or a restart ends no connection.
 */
import { execFile } from 'node:child_process'
import { createHmac, createPrivateKey, type X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket as Socket } from 'ws'
import {
  type Agent,
  agentHome,
  privateFolders,
  ptun,
  startAgent,
  type WantedTunnel,
} from './harness/agent.ts'
import { curl } from './harness/curl.ts'
import { eventually, within } from './harness/events.ts'
import { openTrustWorld, serviceDomain, type TrustWorld } from './harness/names-world.ts'
import { makeKey, type Standalone, startStandalone, temporaryFolder } from './harness/standalone.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'
import { describeWith, programPath } from './requirements.ts'

const vault = `vault.e2e.${serviceDomain}`
const shop = `shop.e2e.${serviceDomain}`

describeWith(['pebble', 'pebbleNames', 'curl'], 'end-to-end TLS', () => {
  const folder = temporaryFolder('end-to-end')
  const home = agentHome()
  let world: TrustWorld
  let server: Standalone
  let service: { api: string; key: string }
  let upstream: Server
  let agent: Agent
  let web: HttpUpstream | undefined

  beforeAll(async () => {
    world = await openTrustWorld()
    writeFileSync(join(folder, 'standalone.yaml'), world.yaml, { mode: 0o600 })
    server = await startStandalone({ folder, env: world.env })
    const { account = { email: '', password: '' } } = server.file
    const place = { api: new URL(server.file.api).origin, account }
    service = { ...place, key: await makeKey(place) }
    upstream = createServer((socket) => {
      socket.on('error', () => {})
      socket.pipe(socket)
    }).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
  })
  afterAll(async () => {
    await agent?.stop()
    await web?.close()
    await server?.program.stop()
    await world?.close()
    upstream?.close()
    for (const each of [folder, home]) rmSync(each, { recursive: true, force: true })
  })

  const run = async (...words: string[]) => {
    const env = { ...process.env, ...privateFolders(home), PTUN_SERVER: service.api, PTUN_KEY: service.key }
    return (await promisify(execFile)('node', [ptun, ...words], { env })).stdout
  }
  const start = (others: Readonly<Record<string, WantedTunnel>> = {}) => {
    const { port } = upstream.address() as AddressInfo
    return startAgent(service, { vault: { kind: 'tls', upstream: port, e2e: true }, ...others }, { home })
  }
  /** A visitor who trusts pebble's root alone. */
  const visit = async (name = vault): Promise<TLSSocket> => {
    const socket = connect({ host: '127.0.0.1', port: world.tlsPort, servername: name, ca: world.root })
    await within(once(socket, 'secureConnect'), `the handshake with ${name}`)
    socket.on('error', () => {})
    return socket
  }
  const echo = async (socket: TLSSocket, text: string) => {
    socket.write(text)
    const [bytes] = (await within(once(socket, 'data'), 'the echo')) as [Buffer]
    return bytes.toString()
  }
  type Kept = { readonly host: string; readonly current: { readonly key: string; readonly renewAt: number } }
  const readKept = () => {
    const at = join(home, 'state/porttunneler/certificates')
    for (const file of readdirSync(at)) {
      const kept = JSON.parse(readFileSync(join(at, file), 'utf8')) as Kept
      if (kept.host === vault) return { path: join(at, file), ...kept }
    }
    throw new Error('nothing is kept')
  }
  const serialOf = (socket: TLSSocket) => (socket.getPeerX509Certificate() as X509Certificate).serialNumber

  let url = ''
  let plain = ''

  test('a name that is not reserved is refused with the command that reserves it', async () => {
    agent = await start()
    await agent.online('vault')
    const { problem } = await agent.waitFor('certificate.failed', { deadlineMs: 60_000 })
    expect(problem).toMatchObject({ code: 'PT-2624', cure: expect.stringContaining('ptun names reserve') })
    await agent.stop()
    await run('names', 'reserve', 'vault.e2e')
  })

  test('a reserved name gets its certificate, and bytes reach a plain upstream', async () => {
    agent = await start()
    expect(new URL(await agent.online('vault')).hostname).toBe(vault)
    const ready = await agent.waitFor('certificate.ready', { deadlineMs: 60_000 })
    expect(ready).toMatchObject({ tunnel: 'vault', host: vault })
    const socket = await visit()
    expect(socket.authorized).toBe(true)
    expect(await echo(socket, 'secret word')).toBe('secret word')
    socket.end()
    await within(once(socket, 'close'), 'the end')
  })

  test('the key is on this machine alone, in a file that only its user can read', async () => {
    const { path: kept, current } = readKept()
    expect(statSync(kept).mode & 0o777).toBe(0o600)
    const socket = await visit()
    const leaf = socket.getPeerX509Certificate() as X509Certificate
    expect(leaf.checkPrivateKey(createPrivateKey(current.key))).toBe(true)
    socket.destroy()
    const secret = Buffer.from(current.key.replace(/-----.*-----|\s/g, ''), 'base64')
    // The private number of a P-256 key in PKCS 8.
    const number = secret.subarray(36, 68)
    const texts = [
      number.toString('base64'),
      number.toString('base64url'),
      number.toString('hex'),
      current.key,
    ]
    for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const whole = join(folder, path)
      if (!statSync(whole).isFile()) continue
      const bytes = readFileSync(whole)
      expect(bytes.includes(number), path).toBe(false)
      for (const text of texts) expect(bytes.includes(text), path).toBe(false)
    }
  })

  test('a restart uses the certificate that is there, and orders none', async () => {
    const first = await visit()
    const serial = serialOf(first)
    first.destroy()
    await agent.stop()
    agent = await start()
    await agent.online('vault')
    const socket = await visit()
    expect(serialOf(socket)).toBe(serial)
    expect(await echo(socket, 'again')).toBe('again')
    socket.destroy()
    expect(agent.events.items.some(({ event }) => event === 'certificate.ordered')).toBe(false)
  })

  test('a renewal with a new key counts for new connections, and ends no open one', async () => {
    await agent.stop()
    const { path, ...kept } = readKept()
    // The server, which does not know this one, cannot say that there is time.
    const early = { renewAt: Date.now() + 3_000, id: `crt_${'0'.repeat(40)}` }
    writeFileSync(path, JSON.stringify({ ...kept, current: { ...kept.current, ...early } }))
    agent = await start()
    await agent.online('vault')
    const open = await visit()
    await agent.waitFor('certificate.ready', { deadlineMs: 60_000 })
    const fresh = await visit()
    expect(serialOf(fresh)).not.toBe(serialOf(open))
    expect(readKept().current.key).not.toBe(kept.current.key)
    expect(await Promise.all([echo(open, 'before'), echo(fresh, 'after')])).toEqual(['before', 'after'])
    for (const socket of [open, fresh]) socket.destroy()
  })

  test('an http tunnel: requests reach the upstream as if a relay had passed them on, and only the agent read them', async () => {
    await agent.stop()
    await run('names', 'reserve', 'shop.e2e')
    web = await startHttp()
    agent = await start({
      shop: { kind: 'http', upstream: web.port, e2e: true },
      plain: { kind: 'http', upstream: web.port },
    })
    url = await agent.online('shop')
    const { root, tlsPort } = world
    expect(url).toBe(`https://${shop}:${tlsPort}`)
    plain = `https://plain.${serviceDomain}:${tlsPort}`
    const hello = `${url}/hello`
    await agent.waitFor('certificate.ready', { tunnel: 'shop', deadlineMs: 60_000 })
    expect(await curl(world.rootFile, hello, '-H', 'X-Forwarded-For: 10.0.0.1', hello)).toBe('hellohello')
    const fields = web.requests.at(-1)?.rawHeaders.join('\n') ?? ''
    expect(fields).toContain(
      `X-Forwarded-For\n127.0.0.1\nX-Forwarded-Host\n${shop}:${tlsPort}\nX-Forwarded-Proto\nhttps`,
    )
    expect(fields).not.toContain('10.0.0.1')
    const code = ['-o', '/dev/null', '-w', '%{http_code} %{http_version}', '-H', `Host: ${vault}`]
    expect(await curl(world.rootFile, hello, ...code)).toBe('421 1.1')
    const socket = new Socket(`wss://127.0.0.1:${tlsPort}/ws`, {
      ...{ ca: root, servername: shop, headers: { host: shop } },
    })
    await within(once(socket, 'open'), 'the WebSocket')
    socket.send('over TLS')
    const [message] = (await within(once(socket, 'message'), 'its echo')) as [Buffer]
    expect(message.toString()).toBe('over TLS')
    socket.terminate()
  })

  describeWith(['chromium', 'certutil'], 'in Chromium', () => {
    test('a page and its WebSocket come by the certificate of the agent, beside a page of the relay', async () => {
      const store = `sql:${join(home, '.pki/nssdb')}`
      mkdirSync(join(home, '.pki/nssdb'), { recursive: true })
      const certutil = (...words: string[]) =>
        promisify(execFile)(programPath('certutil'), ['-d', store, ...words])
      await certutil('-N', '--empty-password')
      await certutil('-A', '-t', 'C,,', '-n', 'pebble', '-i', world.rootFile)
      const browser = await chromium.launch({
        executablePath: programPath('chromium'),
        args: [
          `--host-resolver-rules=MAP *.${serviceDomain} 127.0.0.1`,
          ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        ],
        env: { ...process.env, HOME: home },
      })
      try {
        const page = await browser.newPage()
        await eventually('the page of the relay is trusted', () => page.goto(`${plain}/hello`), 60_000)
        const answer = await page.goto(`${url}/hello`)
        expect(await page.textContent('body')).toBe('hello')
        expect((await answer?.securityDetails())?.subjectName ?? '').not.toContain('*')
        const echo = await page.evaluate(
          (at) =>
            new Promise((resolve, reject) => {
              const socket = new WebSocket(at)
              socket.onerror = () => reject(new Error('no WebSocket'))
              socket.onopen = () => socket.send('from the page')
              socket.onmessage = ({ data }) => resolve(data)
            }),
          `${url.replace('https', 'wss')}/ws`,
        )
        expect(echo).toBe('from the page')
      } finally {
        await browser.close()
      }
    })
  })

  test('an http tunnel takes signed webhooks alone as soon as its file says so, and the relay reads none', async () => {
    const secretFile = join(home, 'secret')
    writeFileSync(secretFile, 'for webhooks', { mode: 0o600 })
    const path = join(home, 'ptun.yaml')
    const { tunnels, ...rest } = JSON.parse(readFileSync(path, 'utf8'))
    const reload = async (more: object) => {
      const from = agent.events.items.length
      const shop = { ...tunnels.shop, ...more }
      writeFileSync(path, JSON.stringify({ ...rest, tunnels: { ...tunnels, shop } }))
      agent.program.send('SIGHUP')
      await agent.waitFor('config.reloaded', { from })
    }
    await reload({ webhooks: { verify: 'github', secretFile } })
    const send = (body: string) => {
      const signature = createHmac('sha256', 'for webhooks').update('{"type":"ping"}').digest('hex')
      const header = ['-H', `X-Hub-Signature-256: sha256=${signature}`, '-w', ' %{http_code}']
      return curl(world.rootFile, `${url}/echo`, ...header, '--data-binary', body)
    }
    expect(await send('{"type":"ping"}')).toBe('{"type":"ping"} 200')
    expect(await send('{"type":"pong"}')).toMatch(/PT-6101.* 401$/s)
    expect(await curl(world.rootFile, `${url}/hello`)).toContain('PT-6100')
    await reload({})
    expect(await curl(world.rootFile, `${url}/hello`)).toBe('hello')
  })

  test('an upstream that is down is told on a page of the agent', async () => {
    await web?.close()
    expect(await curl(world.rootFile, `${url}/hello`)).toContain('"PT-6040"')
  })

  test('large transfers pass both ways at once, byte for byte', async () => {
    const socket = await visit()
    const block = Buffer.alloc(1024 * 1024, 'port')
    let received = 0
    let isSame = true
    socket.on('data', (bytes: Buffer) => {
      const at = received % 4
      isSame &&= bytes.equals(block.subarray(at, at + bytes.length))
      received += bytes.length
    })
    for (let n = 0; n < 16; n++) if (!socket.write(block)) await once(socket, 'drain')
    socket.end()
    await within(once(socket, 'end'), 'the end of the echo', 60_000)
    expect({ received, isSame }).toEqual({ received: 16 * block.length, isSame: true })
  })
})
