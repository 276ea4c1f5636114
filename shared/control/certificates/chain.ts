/** Reads a certificate from an issuer: how long it is valid, for which names and key, and its name in ARI. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { fail } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'
import { derValues } from './der.ts'

export type ChainFacts = {
  readonly notBefore: number
  readonly notAfter: number
  /** RFC 9773, section 4.1; undefined where the issuer omits the fields that it is made of. */
  readonly ariId?: string
}

const chainBytesMax = 64 * 1024

/**
 * @param chain PEM, leaf first
 * @throws certificate.refused when it is not for this key and these names
 */
export function readChain(chain: string, key: Secret, hosts: readonly string[]): ChainFacts {
  const wrong = (why: string, cause?: unknown) =>
    fail('certificate.refused', `The issuer sent a certificate ${why}.`, { cause })
  if (chain.length > chainBytesMax) throw wrong('that is too long')
  let leaf: X509Certificate
  try {
    leaf = new X509Certificate(chain)
  } catch (cause) {
    throw wrong('that cannot be read', cause)
  }
  const wanted = createPublicKey(createPrivateKey(key.reveal())).export({ type: 'spki', format: 'der' })
  if (!leaf.publicKey.export({ type: 'spki', format: 'der' }).equals(wanted)) throw wrong('of another key')
  const names = new Set((leaf.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, '')))
  const missing = hosts.find((host) => !names.has(host))
  if (missing !== undefined) throw wrong(`without ${missing}`)
  const ariId = ariIdOf(leaf)
  return {
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
    ...(ariId !== undefined && { ariId }),
  }
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
