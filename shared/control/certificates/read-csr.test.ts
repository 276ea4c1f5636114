/** Requests that agents send: made by OpenSSL, which knows more ways to be wrong than we do. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificateRequest, newCertificateKey } from '../../base/csr.ts'
import type { Secret } from '../../base/secret.ts'
import { readAgentRequest } from './read-csr.ts'

const host = 'shop.e2e.tunnels.example.com'
const p256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
const own = ['-addext', `subjectAltName=DNS:${host}`]
const nobody = ['-subj', '/']

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ptun-csr-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function make(...words: readonly string[]): string {
  const all = ['req', '-new', '-nodes', '-batch', '-keyout', join(folder, 'key.pem'), ...words]
  return execFileSync('openssl', all, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

function pem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
}

function derOf(text: string): Buffer {
  return Buffer.from(text.replace(/-----.*-----/g, ''), 'base64')
}

const ofCurve = (curve: string) => ['-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${curve}`]
const ofRsa = (bits: number) => ['-newkey', `rsa:${bits}`]

describe('a certificate request of an agent', () => {
  test.each([
    ['P-256', [...p256, ...own, ...nobody]],
    ['P-384 with SHA-384', [...ofCurve('P-384'), '-sha384', ...own, ...nobody]],
    ['RSA with 2048 bits', [...ofRsa(2_048), ...own, ...nobody]],
    ['the host as its common name too', [...p256, ...own, '-subj', `/CN=${host}`]],
  ])('is read: %s', (_what, words) => {
    expect(readAgentRequest(make(...words), host)).toMatchObject({
      keyHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test('of our own making is read, and its key is known by its hash', () => {
    const [key, other] = [newCertificateKey(), newCertificateKey()]
    const read = (one: Secret) => readAgentRequest(pem(certificateRequest(one, [host])), host).keyHash
    expect(read(key)).toBe(read(key))
    expect(read(key)).not.toBe(read(other))
  })

  test.each([
    ['RSA with 1024 bits', /2048/, [...ofRsa(1_024), ...own, ...nobody]],
    [
      'RSA with another exponent',
      /2048/,
      [...ofRsa(2_048), '-pkeyopt', 'rsa_keygen_pubexp:3', ...own, ...nobody],
    ],
    ['P-521', /P-384/, [...ofCurve('P-521'), ...own, ...nobody]],
    ['secp256k1', /P-384/, [...ofCurve('secp256k1'), ...own, ...nobody]],
    ['a curve that is spelt out', /P-384/, [...p256, '-pkeyopt', 'ec_param_enc:explicit', ...own, ...nobody]],
    ['Ed25519', /P-384/, ['-newkey', 'ed25519', ...own, ...nobody]],
    ['SHA-1', /SHA-256/, [...ofRsa(2_048), '-sha1', ...own, ...nobody]],
    ['two names', /one name/, [...p256, ...nobody, '-addext', `subjectAltName=DNS:${host},DNS:www.${host}`]],
    ['another host', /one name/, [...p256, ...nobody, '-addext', 'subjectAltName=DNS:example.com']],
    [
      'a wildcard',
      /one name/,
      [...p256, ...nobody, '-addext', 'subjectAltName=DNS:*.e2e.tunnels.example.com'],
    ],
    ['an address', /one name/, [...p256, ...nobody, '-addext', 'subjectAltName=IP:192.0.2.1']],
    [
      'capital letters',
      /one name/,
      [...p256, ...nobody, '-addext', `subjectAltName=DNS:${host.toUpperCase()}`],
    ],
    ['a common name and no alternative name', /names no host/, [...p256, '-subj', `/CN=${host}`]],
    ['another common name', /subject/, [...p256, ...own, '-subj', '/CN=example.com']],
    ['an organisation', /subject/, [...p256, ...own, '-subj', `/CN=${host}/O=Bank`]],
    [
      'the right to sign others',
      /more than one/,
      [...p256, ...own, ...nobody, '-addext', 'basicConstraints=CA:TRUE'],
    ],
  ])('is refused: %s', (_what, why, words) => {
    expect(() => readAgentRequest(make(...words), host)).toThrowError(
      expect.objectContaining({ key: 'certificate.request', detail: expect.stringMatching(why) }),
    )
  })

  test('is refused when any byte of it was changed, and nothing else happens', () => {
    const good = derOf(make(...p256, ...own, ...nobody))
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good)
      bad[at] = (bad[at] ?? 0) ^ 0x01
      expect(() => readAgentRequest(pem(bad), host), `byte ${at}`).toThrowError(
        expect.objectContaining({ key: 'certificate.request' }),
      )
    }
  })

  test.each([
    ['nothing', ''],
    ['other text', 'no request'],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----'],
    ['an empty one', pem(Buffer.from('3000', 'hex'))],
    ['a long one', pem(Buffer.alloc(5_000, 0x30))],
  ])('is refused: %s', (_what, text) => {
    expect(() => readAgentRequest(text, host)).toThrowError(
      expect.objectContaining({ key: 'certificate.request' }),
    )
  })

  test('is refused with something behind it', () => {
    const good = derOf(make(...p256, ...own, ...nobody))
    expect(() => readAgentRequest(pem(Buffer.concat([good, Buffer.from('0500', 'hex')])), host)).toThrow()
  })
})
