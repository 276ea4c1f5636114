/**
 * Makes the self-signed certificate of a relay that was given none: P-256, for TLS servers, good for the names asked.
 * Node reads certificates but does not make them, and this one form of them is a page of DER (X.690, RFC 5280);
 * a library for all forms took 10 MB of every new relay.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import { Secret } from '@porttunneler/shared/base/secret'

const dayMs = 86_400_000
/** Agents pin it, so it may live long; clients refuse server certificates beyond 825 days. */
const lifeMs = 800 * dayMs
/** Of X.520; nobody compares the name, only its alternatives. */
const commonNameMax = 64

/** Object identifiers, encoded. */
const oid = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  basicConstraints: '551d13',
  keyUsage: '551d0f',
  extendedKeyUsage: '551d25',
  subjectAltName: '551d11',
  serverAuth: '2b06010505070301',
} as const

const tag = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
  dnsName: 0x82,
  ipAddress: 0x87,
} as const

const yes = der(tag.boolean, Buffer.from([0xff]))

/** Valid from a day before `nowMs`, for clocks that are behind. `names` are host names and IPv4 addresses. */
export function makeSelfSigned(
  names: readonly string[],
  nowMs: number,
): { readonly certificate: string; readonly key: Secret } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(objectId(oid.ecdsaWithSha256))
  const commonName = (names[0] ?? 'relay').slice(0, commonNameMax)
  const subject = sequence(
    der(tag.set, sequence(objectId(oid.commonName), der(tag.utf8, Buffer.from(commonName)))),
  )
  const body = sequence(
    // Version 3.
    der(tag.version, der(tag.integer, Buffer.from([2]))),
    der(tag.integer, serialNumber()),
    algorithm,
    subject,
    sequence(time(nowMs - dayMs), time(nowMs + lifeMs)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(tag.extensions, sequence(...extensions(names))),
  )
  const signature = sign('sha256', body, privateKey)
  return {
    certificate: pem('CERTIFICATE', sequence(body, algorithm, bits(0, signature))),
    key: new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  }
}

function extensions(names: readonly string[]): readonly Buffer[] {
  return [
    // No authority over others: an empty sequence.
    extension(oid.basicConstraints, yes, sequence()),
    // The first bit alone: digital signature.
    extension(oid.keyUsage, yes, bits(7, Buffer.from([0x80]))),
    extension(oid.extendedKeyUsage, sequence(objectId(oid.serverAuth))),
    extension(oid.subjectAltName, sequence(...names.map(altName))),
  ]
}

function extension(id: string, ...parts: readonly Buffer[]): Buffer {
  const value = parts.at(-1) ?? Buffer.alloc(0)
  return sequence(objectId(id), ...parts.slice(0, -1), der(tag.octets, value))
}

function altName(name: string): Buffer {
  if (isIP(name) === 4) return der(tag.ipAddress, Buffer.from(name.split('.').map(Number)))
  return der(tag.dnsName, Buffer.from(name))
}

/** Positive, never zero, in as few bytes as it needs. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}

/** Two digits of the year until 2049, four from then on. */
function time(atMs: number): Buffer {
  const digits = new Date(atMs).toISOString().replace(/\.\d+|[-:T]/g, '')
  return digits < '2050'
    ? der(tag.utcTime, Buffer.from(digits.slice(2)))
    : der(tag.generalizedTime, Buffer.from(digits))
}

function bits(unused: number, content: Buffer): Buffer {
  return der(tag.bits, Buffer.concat([Buffer.from([unused]), content]))
}

function objectId(hex: string): Buffer {
  return der(tag.oid, Buffer.from(hex, 'hex'))
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(tag.sequence, Buffer.concat(parts))
}

/** Tag, length, content. */
function der(type: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([type, ...size]), content])
}

function pem(label: string, content: Buffer): string {
  const lines = content.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
