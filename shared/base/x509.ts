/**
 * Writes X.509 certificates (RFC 5280), P-256 and SHA-256 alone: for the local authority of a standalone server, and
 * for the tests' issuer. The keys and dates are the caller's.
 */
import { type KeyObject, randomBytes, sign } from 'node:crypto'
import { der, derValues, tags } from './der.ts'

const ecdsaWithSha256 = der(tags.sequence, hex('06082a8648ce3d040302'))
const tagsHere = { utf8: 0x0c, time: 0x18, version: 0xa0, extensions: 0xa3, boolean: 0x01 } as const
/** GeneralName: tags of its module. */
const names = { dns: 0x82, address: 0x87 } as const

export type CertificateFields = {
  /** The common names; '' = a name without parts. */
  readonly subject: string
  readonly issuer: string
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer
  readonly from: number
  readonly until: number
  readonly extensions: readonly Buffer[]
}

/** @returns PEM */
export function signCertificate(fields: CertificateFields, issuerKey: KeyObject): string {
  const { subject, issuer, spki, from, until, extensions } = fields
  const body = der(
    tags.sequence,
    der(tagsHere.version, der(tags.integer, Buffer.from([2]))),
    // A first byte of 1 keeps it positive.
    der(tags.integer, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ecdsaWithSha256,
    nameOf(issuer),
    der(tags.sequence, timeOf(from), timeOf(until)),
    nameOf(subject),
    spki,
    der(tagsHere.extensions, der(tags.sequence, ...extensions)),
  )
  const signature = der(tags.bits, Buffer.from([0]), sign('sha256', body, issuerKey))
  const base64 = der(tags.sequence, body, ecdsaWithSha256, signature).toString('base64')
  const lines = base64.match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

/** The SubjectPublicKeyInfo of a request (csr.ts), DER. */
export function keyOfRequest(request: Buffer): Buffer {
  const [csr] = derValues(request)
  const [info] = derValues(csr?.body ?? Buffer.alloc(0))
  return der(tags.sequence, derValues(info?.body ?? Buffer.alloc(0))[2]?.body ?? Buffer.alloc(0))
}

/** GeneralNames: host names, and IPv4 addresses. */
function generalNames(hosts: readonly string[]): Buffer {
  const list = hosts.map((host) =>
    isAddress(host) ? der(names.address, bytesOf(host)) : der(names.dns, Buffer.from(host, 'ascii')),
  )
  return der(tags.sequence, ...list)
}

/** In a certificate without a subject they are critical. */
export function altNames(hosts: readonly string[], kind?: 'critical'): Buffer {
  return extension('0603551d11', generalNames(hosts), kind)
}

/** `keyId` is the subject's key identifier in the issuer's certificate. */
export function authorityKey(keyId: Buffer): Buffer {
  return extension('0603551d23', der(tags.sequence, der(0x80, keyId)))
}

export function subjectKey(keyId: Buffer): Buffer {
  return extension('0603551d0e', der(tags.octets, keyId))
}

/** For TLS servers, and not an authority. */
export function forServers(): readonly Buffer[] {
  return [
    extension('0603551d13', der(tags.sequence), 'critical'),
    extension('0603551d0f', bits(7, 0x80), 'critical'),
    serverAuth(),
  ]
}

/**
 * For an authority that certifies servers by these names, all names below them and these addresses, and nothing else.
 * Each kind has an entry, because a kind without one would be free.
 */
export function forAuthority(hosts: readonly string[]): readonly Buffer[] {
  const trees = hosts.map((host) => {
    const base = isAddress(host)
      ? der(names.address, bytesOf(host), Buffer.alloc(4, 0xff))
      : der(names.dns, Buffer.from(host, 'ascii'))
    return der(tags.sequence, base)
  })
  // None of 2^128 addresses: only an excluded tree can say that.
  const noIpv6 = der(tags.sequence, der(names.address, Buffer.alloc(32)))
  const isCa = der(
    tags.sequence,
    der(tagsHere.boolean, Buffer.from([0xff])),
    der(tags.integer, Buffer.from([0])),
  )
  return [
    extension('0603551d13', isCa, 'critical'),
    extension('0603551d0f', bits(1, 0x06), 'critical'),
    serverAuth(),
    extension('0603551d1e', der(tags.sequence, der(0xa0, ...trees), der(0xa1, noIpv6)), 'critical'),
  ]
}

function serverAuth(): Buffer {
  return extension('0603551d25', der(tags.sequence, hex('06082b06010505070301')))
}

function extension(oid: string, value: Buffer, kind?: 'critical'): Buffer {
  const critical = kind === undefined ? [] : [der(tagsHere.boolean, Buffer.from([0xff]))]
  return der(tags.sequence, hex(oid), ...critical, der(tags.octets, value))
}

function bits(unused: number, ...bytes: readonly number[]): Buffer {
  return der(tags.bits, Buffer.from([unused, ...bytes]))
}

function nameOf(common: string): Buffer {
  if (common === '') return der(tags.sequence)
  const part = der(tags.sequence, hex('0603550403'), der(tagsHere.utf8, Buffer.from(common)))
  return der(tags.sequence, der(tags.set, part))
}

/** Until 2049 RFC 5280 wants UTCTime, which some verifiers insist on. */
function timeOf(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  return ms < Date.UTC(2050, 0) && ms >= Date.UTC(1950, 0)
    ? der(0x17, Buffer.from(text.slice(2)))
    : der(tagsHere.time, Buffer.from(text))
}

/** Host names never end in a number. */
function isAddress(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host)
}

function bytesOf(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number))
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
