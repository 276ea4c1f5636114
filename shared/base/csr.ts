/** Keys of certificates, and requests for them (RFC 2986): P-256, the names as alternatives, and no other field. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { der, tags } from './der.ts'
import { Secret } from './secret.ts'
import { altNames } from './x509.ts'

const oid = (hex: string) => Buffer.from(hex, 'hex')
const ecdsaWithSha256 = oid('06082a8648ce3d040302')
const extensionRequest = oid('06092a864886f70d01090e')
/** A context tag of its module. */
const attributes = 0xa0

/** A new key, PEM (PKCS 8). */
export function newCertificateKey(): Secret {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
}

/** The request for `hosts`, DER. */
export function certificateRequest(key: Secret, hosts: readonly string[]): Buffer {
  const privateKey = createPrivateKey(key.reveal())
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const extension = altNames(hosts)
  const asked = der(tags.sequence, extensionRequest, der(tags.set, der(tags.sequence, extension)))
  const info = der(
    tags.sequence,
    der(tags.integer, Buffer.from([0])),
    der(tags.sequence),
    publicKey,
    der(attributes, asked),
  )
  const signature = sign('sha256', info, privateKey)
  const bits = der(tags.bits, Buffer.from([0]), signature)
  return der(tags.sequence, info, der(tags.sequence, ecdsaWithSha256), bits)
}
