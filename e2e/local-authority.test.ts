/**
 * `npm run trust`: console, API and tunnels get HTTPS that curl trusts under the root and Chromium by its own list;
 * `--undo` takes exactly that out again, and the server goes back to HTTP.
 */
import { execFile } from 'node:child_process'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { promisify } from 'node:util'
import { newCertificateKey } from '@porttunneler/shared/base/csr'
import { issueLeaf, readAuthority } from '@porttunneler/standalone/local-authority'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Agent, startAgent } from './harness/agent.ts'
import { curl } from './harness/curl.ts'
import { eventually } from './harness/events.ts'
import { root as repository } from './harness/programs.ts'
import {
  freeSettings,
  makeKey,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'
import { describeWith, programPath } from './requirements.ts'
import { http2Routes, http2Suite } from './suites/http2.ts'

describeWith(['curl', 'certutil', 'chromium'], 'local authority', () => {
  const folder = temporaryFolder('local-authority')
  const home = temporaryFolder('local-authority-home')
  const rootFile = join(folder, 'ca/root.crt')
  let server: Standalone
  let agent: Agent
  let web: HttpUpstream
  let blog: HttpUpstream
  let shop = ''

  const trust = async (...words: string[]) => {
    const args = ['standalone/trust.ts', '--data', folder, '--browsers', ...words]
    const env = { ...process.env, HOME: home }
    return (await promisify(execFile)(process.execPath, args, { cwd: repository, env })).stdout
  }
  const listed = async () => {
    const args = ['-d', `sql:${join(home, '.pki/nssdb')}`, '-L']
    return (await promisify(execFile)(programPath('certutil'), args)).stdout
  }
  const ask = (url: string, ...words: string[]) => curl(rootFile, url, ...words)

  const startBrowser = (...words: string[]) => {
    const args = process.getuid?.() === 0 ? ['--no-sandbox', ...words] : words
    const env = { ...process.env, HOME: home }
    return chromium.launch({ executablePath: programPath('chromium'), args, env })
  }

  beforeAll(async () => {
    await trust('--yes')
    setDefaultCACertificates([...getCACertificates(), readFileSync(rootFile, 'utf8')])
    const env = await freeSettings()
    server = await startStandalone({ folder, env })
    web = await startHttp({ '/': (_request, response) => response.end('from the shop'), ...http2Routes })
    blog = await startHttp({
      '/who': (_request, response) => response.setHeader('access-control-allow-origin', '*').end('other'),
    })
    const { account = { email: '', password: '' } } = server.file
    const service = { api: server.file.api, account }
    // The list of this system for ptun alone: it trusts what the system trusts.
    agent = await startAgent(
      { ...service, key: await makeKey(service) },
      { shop: { kind: 'http', upstream: web.port }, blog: { kind: 'http', upstream: blog.port } },
      { env: { SSL_CERT_FILE: rootFile } },
    )
    shop = await agent.online('shop')
  })
  afterAll(async () => {
    await agent?.stop()
    await server?.program.stop()
    await web?.close()
    await blog?.close()
    for (const each of [folder, home]) rmSync(each, { recursive: true, force: true })
  })

  test('its key is private, and Chromium has its root by a name of its own', async () => {
    expect(statSync(join(folder, 'ca/authority.json')).mode & 0o777).toBe(0o600)
    expect(await listed()).toMatch(/PortTunneler local authority [0-9a-f]{8} +C,,/)
    // Once more is no second one.
    await trust('--yes')
    expect((await listed()).match(/PortTunneler/g)).toHaveLength(1)
  })

  test('curl trusts console, API, tunnels and live figures under the root, by name and by address', async () => {
    const { api } = server.file
    expect(api).toMatch(/^https:\/\/localhost:/)
    expect(shop).toMatch(/^https:\/\/shop\.localhost:/)
    expect(await eventually('the shop is trusted', () => ask(shop))).toBe('from the shop')
    expect(await ask(`${api}/v1/config`)).toContain('"version"')
    const { port } = new URL(api)
    expect(await ask(`https://127.0.0.1:${port}/v1/config`)).toContain('"version"')
    const live = `https://localhost:${new URL(shop).port}/v1/live`
    expect(await ask(live, '-o', '/dev/null', '-w', '%{http_code}')).toBe('401')
    // Plain HTTP goes on, for programs on this machine.
    expect(await ask(`${api.replace('https:', 'http:')}/v1/config`)).toContain('"version"')
  })

  test('Chromium trusts tunnels and console, and refuses what the root may not certify', async () => {
    const authority = readAuthority(folder, readFileSync(join(folder, 'ca/authority.json'), 'utf8'))
    const key = createPrivateKey(newCertificateKey().reveal())
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
    const cert = issueLeaf(authority, { hosts: ['google.com'], spki, nowMs: Date.now() })
    const liar = createServer(
      { cert, key: key.export({ type: 'pkcs8', format: 'pem' }) },
      (_request, response) => response.end('not google'),
    )
    await new Promise<void>((resolve) => void liar.listen(0, '127.0.0.1', resolve))
    const browser = await startBrowser('--host-resolver-rules=MAP google.com 127.0.0.1')
    try {
      const page = await browser.newPage()
      await page.goto(shop)
      expect(await page.textContent('body')).toBe('from the shop')
      await page.goto(`${server.file.api}/sign-in`)
      await page.getByLabel('Email').waitFor()
      const { port } = liar.address() as AddressInfo
      await expect(page.goto(`https://google.com:${port}/`)).rejects.toThrow('ERR_CERT')
    } finally {
      await browser.close()
      liar.close()
    }
  })

  http2Suite(() => ({
    web: shop,
    other: shop.replace('//shop.', '//blog.'),
    folder: home,
    curl: ask,
    startBrowser: () => startBrowser(),
  }))

  test('--print changes nothing; --undo takes out that root alone, and the server has HTTP again', async () => {
    expect(await trust('--undo', '--print')).toContain('certutil')
    expect(existsSync(rootFile)).toBe(true)
    const other = ['-d', `sql:${join(home, '.pki/nssdb')}`, '-A', '-t', 'C,,', '-n', 'another', '-i']
    await promisify(execFile)(programPath('certutil'), [...other, join(folder, 'relay/tls/relay.crt')])
    await trust('--undo', '--yes')
    expect(await listed()).not.toContain('PortTunneler')
    expect(await listed()).toContain('another')
    expect(existsSync(join(folder, 'ca'))).toBe(false)
    expect(await trust('--undo', '--yes')).toContain('nothing to undo')
  })
})
