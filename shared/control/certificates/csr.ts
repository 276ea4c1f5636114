/** Keys of certificates, and requests for them (RFC 2986): P-256, the names as alternatives, and no other field. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { Secret } from '../../base/secret.ts'
import { der, tags } from './der.ts'

const oid = (hex: string) => Buffer.from(hex, 'hex')
const ecdsaWithSha256 = oid('06082a8648ce3d040302')
const extensionRequest = oid('06092a864886f70d01090e')
const subjectAltName = oid('0603551d11')
/** GeneralName dNSName, and the attributes of a request: context tags of their modules. */
const dnsName = 0x82
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
  const names = der(tags.sequence, ...hosts.map((host) => der(dnsName, Buffer.from(host, 'ascii'))))
  const extension = der(tags.sequence, subjectAltName, der(tags.octets, names))
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
