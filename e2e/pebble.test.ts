/** Orders at pebble, Let's Encrypt's server for tests: the protocol as a strict issuer sees it. */
import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { certificates } from '@porttunneler/shared/control/certificate-documents'
import { acmeKey, thumbprintOf } from '@porttunneler/shared/control/certificates/account-key'
import { AcmeIssuer } from '@porttunneler/shared/control/certificates/acme'
import { ensureCertificate } from '@porttunneler/shared/control/certificates/ordering'
import type { Certificates } from '@porttunneler/shared/control/certificates/role'
import type { Control } from '@porttunneler/shared/control/control'
import { proofOf } from '@porttunneler/shared/control/domains/proof'
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import { noDns } from '@porttunneler/shared/control/own-records'
import type { Dns } from '@porttunneler/shared/control/platform'
import { openLookUps } from '@porttunneler/shared/dns/look-ups'
import { giveOwnDomain } from '@porttunneler/shared/testing/own-domain'
import { usualLimits } from '@porttunneler/shared/testing/small-issuer'
import { makeTestControl } from '@porttunneler/standalone/testing/control'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Pebble, type PebbleOptions, startPebble } from './harness/pebble.ts'
import { describeWith } from './requirements.ts'

const host = 'tunnel.example.com'

describeWith(['pebble', 'pebbleNames'], 'certificates at pebble', () => {
  const parts = new AsyncDisposableStack()
  afterAll(() => parts.disposeAsync())

  /** What relays answer: the token and the thumbprint, or nothing. */
  let thumbprint = ''
  let httpPort = 0
  let pebble: Pebble
  beforeAll(async () => {
    const server = createServer(({ url = '' }, response) => {
      const token = url.replace('/.well-known/acme-challenge/', '')
      response.writeHead(thumbprint === '' ? 404 : 200).end(`${token}.${thumbprint}`)
    })
    httpPort = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
    })
    parts.defer(() => void server.close())
    pebble = await start({})
  })

  async function start(options: Omit<PebbleOptions, 'httpPort'>): Promise<Pebble> {
    const started = await startPebble({ httpPort, ...options })
    parts.defer(() => started.close())
    return started
  }

  const issuerAt = (directory: string, name = 'pebble') =>
    new AcmeIssuer({ name, directory, caa: ['pebble.test'], limits: usualLimits, userAgent: 'test' })

  async function stage(
    { dns = noDns, ...changes }: Partial<Certificates> & { readonly dns?: Dns },
    name = host,
  ) {
    const testing = makeTestControl()
    parts.defer(() => testing.close())
    await testing.openCell()
    const role = { issuers: [issuerAt(pebble.directory)], caa: async () => [], ...changes }
    const control: Control = { ...testing.control, clock: systemClock, certificates: role, dns }
    thumbprint = await thumbprintOf(await acmeKey(control))
    return {
      control,
      order: async () => {
        await ensureCertificate(control, name)
        await makeWorker(control, 4).take([`certificates.keep:${name}`])
        return (await control.store.get(certificates.ref(name)))?.data
      },
    }
  }

  test('HTTP-01 gives a certificate for the name, signed under its root', async () => {
    const { order } = await stage({})
    const doc = await order()
    expect(doc).toMatchObject({ state: 'valid', hosts: [host], issuer: 'pebble', reason: '' })
    const [leaf, above] = doc?.chain.split(/(?=-----BEGIN)/).map((pem) => new X509Certificate(pem)) ?? []
    expect(leaf?.subjectAltName).toBe(`DNS:${host}`)
    expect(above && leaf?.verify(above.publicKey)).toBe(true)
    expect(above?.checkIssued(new X509Certificate(await pebble.root()))).toBe(true)
  })

  test('DNS-01 gives one for the domain and all names under it, and leaves no record', async () => {
    const left = new Set<string>()
    const { put, remove } = pebble.records
    const { order } = await stage({
      dns: {
        ...noDns,
        kind: 'cloudflare',
        put: (name, value, signal) => put(name, value, signal).then(() => void left.add(value)),
        remove: (name, value, signal) => remove(name, value, signal).then(() => void left.delete(value)),
      },
    })
    expect(await order()).toMatchObject({ state: 'valid', hosts: [host, `*.${host}`], reason: '' })
    expect(left.size).toBe(0)
  })

  test('DNS-01 gives one for an own domain whose owner leads the challenge to a name of ours', async () => {
    const asked: string[] = []
    const told: string[] = []
    const issuer = issuerAt(pebble.directory)
    const ready = issuer.ready.bind(issuer)
    issuer.ready = (account, challenge, signal) => {
      told.push(challenge.type)
      return ready(account, challenge, signal)
    }
    const { put, remove } = pebble.records
    const { alias } = openLookUps({ ...pebble.asking, clock: systemClock })
    const dns: Dns = {
      ...{ ...noDns, kind: 'cloudflare', remove },
      put: (name, value, signal) => put(name, value, signal).then(() => void asked.push(name)),
    }
    const { control, order } = await stage({ issuers: [issuer], alias, dns }, 'app.example.org')
    await giveOwnDomain(control, 'app.example.org', 'verified')
    const claimed = { account: 'acc_1', host: 'app.example.org', claim: 'c' }
    const { token } = await proofOf(control, claimed, [])
    const ours = `${token}.acme.${host}`
    await pebble.lead('_acme-challenge.app.example.org', ours)
    expect(await order()).toMatchObject({ state: 'valid', hosts: ['app.example.org'], reason: '' })
    expect([told, asked]).toEqual([['dns-01'], [ours]])
  })

  test('half of all nonces refused, and an issuer that takes seconds to look, do no harm', async () => {
    const slow = await start({ noncesRefused: 50, sleepSeconds: 2 })
    const { order } = await stage({ issuers: [issuerAt(slow.directory)] })
    expect(await order()).toMatchObject({ state: 'valid', reason: '' })
  })

  test('a name that is not proven fails with what the issuer saw', async () => {
    const { order } = await stage({})
    thumbprint = ''
    expect(await order()).toMatchObject({
      state: 'failing',
      error: 'PT-2604',
      reason: expect.stringContaining('404'),
    })
  })

  test('where the first issuer is down, the second gives the certificate', async () => {
    const down = issuerAt(`https://localhost:${httpPort}/dir`, 'down')
    const { order } = await stage({ issuers: [down, issuerAt(pebble.directory, 'second')] })
    expect(await order()).toMatchObject({ state: 'valid', issuer: 'second' })
  })

  test('a name that an issuer refuses fails with its reason', async () => {
    const issuer = issuerAt(pebble.directory)
    const { control, close } = makeTestControl()
    parts.defer(close)
    const key = await acmeKey(control)
    const { signal } = new AbortController()
    const account = { key, url: await issuer.account(key, signal) }
    await expect(issuer.order(account, { hosts: ['no_such..name'] }, signal)).rejects.toMatchObject({
      key: 'certificate.refused',
      detail: expect.stringMatching(/^pebble: .{10}/),
    })
    // The account is known already: no second one is made.
    expect(await issuerAt(pebble.directory).account(key, signal)).toBe(account.url)
  })

  test('ARI asks by the name that RFC 9773 gives the certificate, and its window counts', async () => {
    const asked: string[] = []
    const proxy = createTlsServer(pebble.tls, async ({ url = '' }, response) => {
      const { port } = proxy.address() as AddressInfo
      if (url !== '/dir') {
        asked.push(url)
        const [start, end] = [8, 9].map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString())
        response.setHeader('retry-after', '21600')
        response.end(JSON.stringify({ suggestedWindow: { start, end } }))
        return
      }
      const known = (await (await fetch(pebble.directory)).json()) as object
      response.end(JSON.stringify({ ...known, renewalInfo: `https://localhost:${port}/ari` }))
    })
    await new Promise<void>((resolve) => {
      proxy.listen(0, '127.0.0.1', resolve)
    })
    parts.defer(() => void proxy.close())
    const { port } = proxy.address() as AddressInfo
    const { order } = await stage({ issuers: [issuerAt(`https://localhost:${port}/dir`)] })
    await order()
    const doc = await order()
    const leaf = new X509Certificate(doc?.chain ?? '')
    const [keyId = '', serial = ''] = (asked[0] ?? '').replace('/ari/', '').split('.')
    expect(BigInt(`0x${Buffer.from(serial, 'base64url').toString('hex')}`)).toBe(
      BigInt(`0x${leaf.serialNumber}`),
    )
    const above = new X509Certificate(doc?.chain.split(/(?=-----BEGIN)/)[1] ?? '')
    expect(above.raw.includes(Buffer.from(keyId, 'base64url'))).toBe(true)
    expect(keyId.length).toBeGreaterThan(20)
    expect((doc?.renewAt ?? 0) - Date.now()).toBeLessThan(9 * 3_600_000)
    expect(asked).toHaveLength(1)
  })
})
