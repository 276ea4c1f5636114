/**
 * An authenticator in software, for tests: makes passkeys (ES256, attestation "none") and signs with them, as browser
 * and device do together (WebAuthn level 3, sections 6.5 and 7.2). It also does what neither would: sign for another
 * origin, without the person's presence, or with a counter that does not rise.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { Assertion, Attestation } from '../api/schemas/factors.ts'

type Asked = { readonly challenge: string }

export type Misbehaviour = {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly isVerified?: boolean
  readonly isPresent?: boolean
  readonly type?: string
  readonly crossOrigin?: boolean
  /** The counter that it says; default: one more than before. */
  readonly counter?: number
  /** What it says whose passkey it is. */
  readonly userHandle?: string
  /** Signs with another key. */
  readonly key?: KeyObject
}

export class SoftwarePasskey {
  readonly id = randomBytes(16).toString('base64url')
  readonly #site: { readonly rpId: string; readonly origin: string }
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  #counter: number
  #handle = ''

  /** @param counter where it begins; 0 = it has none */
  constructor(site: { readonly rpId: string; readonly origin: string }, counter = 1) {
    this.#site = site
    this.#counter = counter
  }

  create(options: Asked & { readonly user: { readonly id: string } }, wrong: Misbehaviour = {}): Attestation {
    this.#handle = options.user.id
    const jwk = this.#keys.publicKey.export({ format: 'jwk' })
    const cose = cborMap([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, Buffer.from(jwk.x ?? '', 'base64url')],
      [-3, Buffer.from(jwk.y ?? '', 'base64url')],
    ])
    const id = Buffer.from(this.id, 'base64url')
    const length = Buffer.from([id.length >> 8, id.length & 0xff])
    const credential = Buffer.concat([Buffer.alloc(16), length, id, cose.cbor])
    const authData = Buffer.concat([this.#authData(0x40, wrong), credential])
    const attestationObject = cborMap([
      ['fmt', 'none'],
      ['attStmt', cborMap([])],
      ['authData', authData],
    ])
    return {
      id: this.id,
      rawId: this.id,
      type: 'public-key',
      response: {
        clientDataJSON: this.#clientData('webauthn.create', options, wrong),
        attestationObject: attestationObject.cbor.toString('base64url'),
        transports: ['internal'],
      },
    }
  }

  sign(options: Asked, wrong: Misbehaviour = {}): Assertion {
    const clientDataJSON = this.#clientData('webauthn.get', options, wrong)
    if (this.#counter > 0) this.#counter += 1
    const authData = this.#authData(0, wrong)
    const hash = createHash('sha256').update(Buffer.from(clientDataJSON, 'base64url')).digest()
    const signature = sign('sha256', Buffer.concat([authData, hash]), wrong.key ?? this.#keys.privateKey)
    return {
      id: this.id,
      response: {
        clientDataJSON,
        authenticatorData: authData.toString('base64url'),
        signature: signature.toString('base64url'),
        userHandle: wrong.userHandle ?? this.#handle,
      },
    }
  }

  #clientData(
    type: string,
    { challenge }: Asked,
    {
      origin = this.#site.origin,
      challenge: other = challenge,
      type: said = type,
      crossOrigin = false,
    }: Misbehaviour,
  ): string {
    const data = { type: said, challenge: other, origin, crossOrigin }
    return Buffer.from(JSON.stringify(data)).toString('base64url')
  }

  /** Layout: hash of the site's id (32), flags (1), counter (4). */
  #authData(
    more: number,
    { rpId = this.#site.rpId, isPresent = true, isVerified = true, counter = this.#counter }: Misbehaviour,
  ): Buffer {
    const data = Buffer.alloc(37)
    createHash('sha256').update(rpId).digest().copy(data)
    data[32] = (isPresent ? 0x01 : 0) | (isVerified ? 0x04 : 0) | more
    data.writeUInt32BE(counter, 33)
    return data
  }
}

/** CBOR already, as opposed to bytes that are to become a byte string. */
type Encoded = { readonly cbor: Buffer }
type Item = number | string | Buffer | Encoded

/** RFC 8949, as far as keys and attestations need it. */
function cborMap(entries: readonly (readonly [number | string, Item])[]): Encoded {
  const parts = entries.flatMap(([key, value]) => [cborItem(key), cborItem(value)])
  return { cbor: Buffer.concat([head(5, entries.length), ...parts]) }
}

function cborItem(item: Item): Buffer {
  if (typeof item === 'number') return item < 0 ? head(1, -1 - item) : head(0, item)
  if (typeof item === 'string') return Buffer.concat([head(3, item.length), Buffer.from(item)])
  return 'cbor' in item ? item.cbor : Buffer.concat([head(2, item.length), item])
}

function head(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value])
  if (value < 256) return Buffer.from([(major << 5) | 24, value])
  return Buffer.from([(major << 5) | 25, value >> 8, value & 0xff])
}
