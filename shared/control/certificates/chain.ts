/** Reads a certificate from an issuer: how long it is valid, for which names and key, and its name in ARI. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { derValues } from '../../base/der.ts'
import { fail } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'
import { publicKeyOf } from './read-csr.ts'

export type ChainFacts = {
  /** PEM, leaf first, and nothing else. */
  readonly chain: string
  readonly notBefore: number
  readonly notAfter: number
  /** RFC 9773, section 4.1; undefined where the issuer omits the fields that it is made of. */
  readonly ariId?: string
}

const chainBytesMax = 64 * 1024
const chainMax = 10
const hourMs = 3_600_000
/** What a clock may be wrong by, ours or the issuer's, before its certificate is taken for a mistake. */
const earlyMs = 24 * hourMs

const wrong = (why: string, cause?: unknown) =>
  fail('certificate.refused', `The issuer sent a certificate ${why}.`, { cause })

type Expected = {
  /** Ours, or the request of the agent that has it. */
  readonly key: Secret | Buffer
  readonly hosts: readonly string[]
  readonly nowMs: number
}

/**
 * @param text PEM, leaf first
 * @throws certificate.refused when it is not for this key, these names and this time, or a relay could not use it
 */
export function readChain(text: string, { key, hosts, nowMs }: Expected): ChainFacts {
  const [leaf, ...above] = certificatesIn(text)
  if (leaf === undefined) throw wrong('that cannot be read')
  const wanted = publicPartOf(key)
  if (!leaf.publicKey.export({ type: 'spki', format: 'der' }).equals(wanted)) throw wrong('of another key')
  const names = new Set(
    (leaf.subjectAltName ?? '').split(', ').map((name) => name.replace(/^(DNS|IP Address):/, '')),
  )
  const missing = hosts.find((host) => !names.has(host))
  if (missing !== undefined) throw wrong(`without ${missing}`)
  const chain = [leaf, ...above]
  for (const [index, issuer] of above.entries()) {
    const below = chain[index]
    const isIssued = below?.checkIssued(issuer) && below.verify(issuer.publicKey)
    if (!isIssued) throw wrong('under one that did not issue it')
  }
  const [notBefore, notAfter] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()]
  if (!(notAfter - nowMs > hourMs)) throw wrong(`that ends at ${sayTime(notAfter)}`)
  if (!(notBefore - nowMs < earlyMs)) throw wrong(`that begins at ${sayTime(notBefore)}`)
  const ariId = ariIdOf(leaf)
  return {
    chain: chain.map((each) => each.toString()).join(''),
    notBefore,
    notAfter,
    ...(ariId !== undefined && { ariId }),
  }
}

/** Each one is read, because a relay would find a bad one only when a visitor comes. */
function certificatesIn(text: string): readonly X509Certificate[] {
  if (text.length > chainBytesMax) throw wrong('that is too long')
  const pems = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  if (pems.length > chainMax) throw wrong(`with ${pems.length} certificates in its chain`)
  try {
    return pems.map((pem) => new X509Certificate(pem))
  } catch (cause) {
    throw wrong('that cannot be read', cause)
  }
}

/** The time of a certificate is what its issuer wrote, which may be no time. */
function sayTime(ms: number): string {
  return Number.isFinite(ms) ? `${new Date(ms).toISOString()} (compare the clock of this machine)` : 'no time'
}

function publicPartOf(key: Secret | Buffer): Buffer {
  const opened = Buffer.isBuffer(key)
    ? createPublicKey({ key: publicKeyOf(key), format: 'der', type: 'spki' })
    : createPublicKey(createPrivateKey(key.reveal()))
  return opened.export({ type: 'spki', format: 'der' })
}

const authorityKeyId = '0603551d23'
/** The key identifier in AuthorityKeyIdentifier (RFC 5280, section 4.2.1.1). */
const keyIdTag = 0x80
const extensionsTag = 0xa3

function ariIdOf(leaf: X509Certificate): string | undefined {
  try {
    const [certificate] = derValues(leaf.raw)
    const [signed] = derValues(certificate?.body ?? Buffer.alloc(0))
    const fields = derValues(signed?.body ?? Buffer.alloc(0))
    // After the version, which every certificate with extensions has.
    const serial = fields[1]?.body
    const [list] = derValues(fields.find(({ tag }) => tag === extensionsTag)?.body ?? Buffer.alloc(0))
    for (const { body } of derValues(list?.body ?? Buffer.alloc(0))) {
      if (!body.subarray(0, 5).equals(Buffer.from(authorityKeyId, 'hex'))) continue
      const value = derValues(body).at(-1)
      const [inner] = derValues(value?.body ?? Buffer.alloc(0))
      const keyId = derValues(inner?.body ?? Buffer.alloc(0)).find(({ tag }) => tag === keyIdTag)?.body
      if (keyId && serial) return `${keyId.toString('base64url')}.${serial.toString('base64url')}`
    }
    return undefined
  } catch {
    // Only ARI needs it; without ARI the time of renewal follows from the certificate's life.
    return undefined
  }
}
