/**
 * Reads a certificate request (RFC 2986) that an agent made: only the shape that we pass on to issuers, so that nothing
 * in it surprises anybody: a good key, one name, and a signature that shows that the sender has the key.
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { type DerValue, derValues, tags } from '../../base/der.ts'
import { fail } from '../../base/errors.ts'

export type AgentRequest = {
  readonly der: Buffer
  /** SHA-256 of the public key (SPKI), hex. */
  readonly keyHash: string
}

/** RSA of 4096 bits takes 1.3 KB. */
const derBytesMax = 4_096
const pemShape =
  /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/
const rsaBits = { min: 2_048, max: 4_096 } as const
/** The only one that authorities take; checking a signature with a long one takes long. */
const rsaExponent = 65_537n
const curves: readonly (string | undefined)[] = ['prime256v1', 'secp384r1']

const extensionRequest = '06092a864886f70d01090e'
const subjectAltName = '0603551d11'
const commonName = '0603550403'
/** Object identifiers of signatures: by which kind of key, over which hash. */
const signatures: ReadonlyMap<string, readonly [key: 'ec' | 'rsa', hash: string]> = new Map([
  ['06082a8648ce3d040302', ['ec', 'sha256']],
  ['06082a8648ce3d040303', ['ec', 'sha384']],
  ['06082a8648ce3d040304', ['ec', 'sha512']],
  ['06092a864886f70d01010b', ['rsa', 'sha256']],
  ['06092a864886f70d01010c', ['rsa', 'sha384']],
  ['06092a864886f70d01010d', ['rsa', 'sha512']],
])
/** Context tags: the attributes of a request, and the GeneralName dNSName. */
const attributesTag = 0xa0
const dnsNameTag = 0x82
const objectTag = 0x06

/** @throws certificate.request unless it asks for exactly `host` */
export function readAgentRequest(pem: string, host: string): AgentRequest {
  const body = pemShape.exec(pem)?.[1]
  if (body === undefined) throw refuse('It is not in PEM form')
  const bytes = Buffer.from(body, 'base64')
  if (bytes.length > derBytesMax) throw refuse(`It is longer than ${derBytesMax} bytes`)
  const { info, algorithm, signature } = open(() => partsOf(bytes))
  const { subject, spki, extensions } = open(() => fieldsOf(info))
  const key = readKey(spki)
  checkSignature(encoded(bytes, info), { key, algorithm, signature })
  checkNames(subject, extensions, host)
  return { der: bytes, keyHash: createHash('sha256').update(spki).digest('hex') }
}

/** The public key in a request that was read before, SPKI. */
export function publicKeyOf(request: Buffer): Buffer {
  return fieldsOf(partsOf(request).info).spki
}

function partsOf(bytes: Buffer) {
  const { body } = only(derValues(bytes), tags.sequence)
  const [info, algorithm, signature, ...rest] = derValues(body)
  if (info?.tag !== tags.sequence || algorithm?.tag !== tags.sequence || signature?.tag !== tags.bits)
    throw new RangeError('not the parts of a request')
  if (rest.length > 0 || signature.body[0] !== 0) throw new RangeError('more than a request')
  return { info, algorithm, signature: signature.body.subarray(1) }
}

function fieldsOf({ body }: DerValue) {
  const [version, subject, spki, attributes, ...rest] = derValues(body)
  if (version?.tag !== tags.integer || subject?.tag !== tags.sequence || spki?.tag !== tags.sequence)
    throw new RangeError('not the fields of a request')
  if (rest.length > 0) throw new RangeError('more fields than a request has')
  const asked = attributes?.tag === attributesTag ? derValues(attributes.body) : []
  return { subject, spki: encoded(body, spki), extensions: asked.flatMap(extensionsOf) }
}

/** An attribute that is not about extensions, such as a password, is passed over: issuers ignore it. */
function extensionsOf({ body }: DerValue): readonly DerValue[] {
  if (!startsWith(body, extensionRequest)) return []
  const { body: values } = only(derValues(body).slice(1), tags.set)
  return derValues(only(derValues(values), tags.sequence).body)
}

function readKey(spki: Buffer): KeyObject {
  const key = open(() => createPublicKey({ key: spki, format: 'der', type: 'spki' }))
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key
  const { namedCurve, modulusLength = 0, publicExponent } = details
  // A curve that is spelt out could be another one than the one it is taken for.
  const isPlain = key.export({ type: 'spki', format: 'der' }).equals(spki) && spki.length < 600
  const isGood =
    type === 'ec'
      ? curves.includes(namedCurve) && spki.length <= 120
      : type === 'rsa' &&
        publicExponent === rsaExponent &&
        modulusLength >= rsaBits.min &&
        modulusLength <= rsaBits.max
  if (isGood && isPlain) return key
  throw refuse('Its key must be on the curve P-256 or P-384, or RSA with 2048 to 4096 bits')
}

function checkSignature(
  info: Buffer,
  { key, algorithm, signature }: { key: KeyObject; algorithm: DerValue; signature: Buffer },
): void {
  const [type, hash] =
    signatures.get(open(() => encoded(algorithm.body, derValues(algorithm.body)[0])).toString('hex')) ?? []
  if (type === undefined || type !== key.asymmetricKeyType)
    throw refuse('It must be signed by its own key, with SHA-256, SHA-384 or SHA-512')
  if (!open(() => verify(hash, info, key, signature))) throw refuse('Its signature does not fit')
}

function checkNames(subject: DerValue, extensions: readonly DerValue[], host: string): void {
  const [extension, ...others] = extensions
  if (extension === undefined) throw refuse('It names no host as an alternative name (SAN)')
  if (others.length > 0 || !startsWith(extension.body, subjectAltName))
    throw refuse('It asks for more than one alternative name (SAN)')
  const names = open(() => {
    const value = only(derValues(extension.body).slice(-1), tags.octets)
    return derValues(only(derValues(value.body), tags.sequence).body)
  })
  const [name] = names
  if (names.length !== 1 || name?.tag !== dnsNameTag || name.body.toString('latin1') !== host)
    throw refuse(`Its one name must be ${host}`)
  if (subject.body.length > 0 && !isNamed(subject, host))
    throw refuse(`Its subject must be empty, or have ${host} as its common name and nothing else`)
}

/** Whether the subject has one part, which is the common name `host`. */
function isNamed({ body }: DerValue, host: string): boolean {
  const [set, ...others] = open(() => derValues(body))
  if (set === undefined || others.length > 0) return false
  return open(() => {
    const part = only(derValues(set.body), tags.sequence)
    const value = derValues(part.body)[1]
    return startsWith(part.body, commonName) && value?.body.toString('latin1') === host
  })
}

/** @throws RangeError unless it is the only one */
function only([value, ...rest]: readonly DerValue[], tag: number): DerValue {
  if (value?.tag !== tag || rest.length > 0) throw new RangeError('not the one value that belongs here')
  return value
}

function startsWith(body: Buffer, object: string): boolean {
  const bytes = Buffer.from(object, 'hex')
  return body[0] === objectTag && body.subarray(0, bytes.length).equals(bytes)
}

/** The value with its tag and length, as it stands in `whole`. */
function encoded(whole: Buffer, value: DerValue | undefined): Buffer {
  if (value === undefined) throw new RangeError('a value is missing')
  const end = value.body.byteOffset + value.body.length - whole.byteOffset
  let start = value.body.byteOffset - whole.byteOffset
  // Tag and length stand right before the content, in two to five bytes.
  const { length } = value.body
  start -= length < 0x80 ? 2 : length < 0x100 ? 3 : length < 0x10000 ? 4 : 5
  return whole.subarray(start, end)
}

function open<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw refuse('It cannot be read', cause)
  }
}

function refuse(why: string, cause?: unknown) {
  return fail('certificate.request', `${why}.`, { cause })
}
