/** The local authority: what its root allows and forbids, as OpenSSL sees it in real handshakes. */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { certificateRequest, newCertificateKey } from '@porttunneler/shared/base/csr'
import { isFailure } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import {
  covers,
  issueLeaf,
  localCertificates,
  localNames,
  makeAuthority,
  readAuthority,
  writeAuthority,
} from './local-authority.ts'

const names = ['localhost', 'box.example.net', '127.0.0.1']
const authority = makeAuthority(names, Date.now())

/** Shakes hands as a client that trusts the root. @returns why the leaf is refused, '' when it is not */
async function refusal(hosts: readonly string[], host: string): Promise<string> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const cert = issueLeaf(authority, { hosts, spki, nowMs: Date.now() })
  const server = createServer({ cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: /^\d/.test(host) ? '' : host,
    ca: authority.root,
  })
  try {
    await once(socket, 'secureConnect')
    return ''
  } catch (error) {
    return String((error as Error).message)
  } finally {
    socket.destroy()
    server.close()
  }
}

describe('local authority', () => {
  test.each([['localhost'], ['shop.localhost'], ['a.b.box.example.net'], ['127.0.0.1']])(
    'a client that trusts its root trusts %s',
    async (host) => {
      expect(await refusal([host], host)).toBe('')
    },
  )

  test.each([['google.com'], ['example.net'], ['xbox.example.net'], ['192.0.2.1']])(
    'a leaf for %s is refused by the constraints of the root, even made with its key',
    async (host) => {
      expect(await refusal([host], 'localhost')).toBe('permitted subtree violation')
      expect(await refusal(['localhost', host], 'localhost')).toBe('permitted subtree violation')
    },
  )

  test('no authority may stand below it, and its root says what it is for', () => {
    const root = new X509Certificate(authority.root)
    expect(root.ca).toBe(true)
    expect(root.verify(root.publicKey)).toBe(true)
    expect(root.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect(root.subject).toMatch(/^CN=PortTunneler local authority [0-9a-f]{8}$/)
  })

  test('the issuer signs for its names and those below, as IPv4 addresses too, and for no others', async () => {
    const clock = new FakeClock(Date.now())
    const [issuer] = localCertificates(authority, clock).issuers
    if (!issuer) throw new Error('no issuer')
    const { signal } = new AbortController()
    const account = { key: newCertificateKey(), url: '' }
    const order = async (...hosts: string[]) => {
      const made = await issuer.order(account, { hosts }, signal)
      expect(made.status).toBe('ready')
      const done = await issuer.finalize(account, made, certificateRequest(account.key, hosts), signal)
      return new X509Certificate(await issuer.download(account, done.certificate ?? '', signal))
    }
    const leaf = await order('shop.localhost', '127.0.0.1')
    expect(leaf.subjectAltName).toBe('DNS:shop.localhost, IP Address:127.0.0.1')
    expect(leaf.validToDate.getTime() - clock.now()).toBeLessThanOrEqual(30 * 86_400_000)
    expect(leaf.checkPrivateKey(createPrivateKey(account.key.reveal()))).toBe(true)
    await expect(order('google.com')).rejects.toMatchObject({ key: 'certificate.refused' })
    await expect(order('localhost', 'notlocalhost')).rejects.toMatchObject({ key: 'certificate.refused' })
  })

  test('it is written and read again whole; a damaged file is an error with a cure', () => {
    const text = writeAuthority(authority)
    expect(writeAuthority(readAuthority('ca.json', text))).toBe(text)
    const other = makeAuthority(names, Date.now())
    for (const bad of [
      '',
      '{}',
      text.slice(0, -20),
      text.replace(JSON.stringify(authority.root), JSON.stringify(other.root)),
    ])
      try {
        readAuthority('ca.json', bad)
        expect.unreachable()
      } catch (error) {
        expect(isFailure(error, 'standalone.authority')).toBe(true)
      }
  })

  test('it is made for the names and addresses of the server, and told when those have changed', () => {
    const face = { names: ['box.lan'] }
    const config = { bind: '127.0.0.1', host: 'localhost', domain: 'localhost', public: face }
    expect(localNames(config)).toEqual(['localhost', 'box.lan', '127.0.0.1'])
    const lan = { ...config, bind: '0.0.0.0', host: '192.0.2.7' }
    expect(localNames(lan)).toEqual(['localhost', 'box.lan', '192.0.2.7', '127.0.0.1'])
    expect(covers(authority, ['localhost', '127.0.0.1'])).toBe(true)
    expect(covers(authority, localNames(lan))).toBe(false)
  })
})
