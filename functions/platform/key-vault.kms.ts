/**
 * KeyVault by Cloud KMS: the wrapping key never leaves it. Each process unwraps a key once, at its cold start; after
 * that signing costs nothing. Checksums in both directions detect what a faulty machine would change. Wrapped form:
 * `kms1.<ciphertext, base64url>`. Needs roles/cloudkms.cryptoKeyEncrypterDecrypter on the one key.
 */
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import type { KeyVault } from '@porttunneler/shared/control/platform'
import { z } from 'zod'
import { crc32c } from './crc32c.ts'
import type { GoogleRest } from './google-rest.ts'

/** Bound into every ciphertext, so that one made for another purpose with the same key does not unwrap. */
const purpose = Buffer.from('porttunneler signing key v1')
/** Only a few keys are in use at a time. */
const cachedMax = 64

const encryptedSchema = z.object({
  ciphertext: z.base64(),
  ciphertextCrc32c: z.string(),
  verifiedPlaintextCrc32c: z.boolean().default(false),
  verifiedAdditionalAuthenticatedDataCrc32c: z.boolean().default(false),
})
const decryptedSchema = z.object({ plaintext: z.base64(), plaintextCrc32c: z.string() })

export type KmsOptions = {
  readonly rest: GoogleRest
  /** `projects/<p>/locations/<l>/keyRings/<r>/cryptoKeys/<k>` */
  readonly key: string
  readonly kmsUrl?: string
}

/** Also rejects with cloud.unavailable and cloud.refused, besides what the interface says. */
export function openKmsKeyVault({
  rest,
  key,
  kmsUrl = 'https://cloudkms.googleapis.com',
}: KmsOptions): KeyVault {
  const unwrapped = new Map<string, Promise<Secret>>()
  const url = (verb: string) => `${kmsUrl}/v1/${key}:${verb}`
  const bound = {
    additionalAuthenticatedData: purpose.toString('base64'),
    additionalAuthenticatedDataCrc32c: checksum(purpose),
  }
  const unwrap = async (wrapped: string) => {
    const ciphertext = readWrapped(wrapped)
    const body = {
      ciphertext: ciphertext.toString('base64'),
      ciphertextCrc32c: checksum(ciphertext),
      ...bound,
    }
    try {
      const answer = await rest.call({ url: url('decrypt'), body, schema: decryptedSchema })
      return new Secret(readChecked(answer.plaintext, answer.plaintextCrc32c).toString('utf8'))
    } catch (cause) {
      // KMS returns 400 for a text that this key did not make.
      if (isFailure(cause, 'cloud.refused') && cause.fields.status === 400)
        throw fail('vault.unreadable', undefined, { cause })
      throw cause
    }
  }
  return {
    async wrap(plain) {
      const plaintext = Buffer.from(plain.reveal(), 'utf8')
      const body = { plaintext: plaintext.toString('base64'), plaintextCrc32c: checksum(plaintext), ...bound }
      const answer = await rest.call({ url: url('encrypt'), body, schema: encryptedSchema })
      const isWhole = answer.verifiedPlaintextCrc32c && answer.verifiedAdditionalAuthenticatedDataCrc32c
      if (!isWhole) throw damaged()
      const ciphertext = readChecked(answer.ciphertext, answer.ciphertextCrc32c)
      return `kms1.${ciphertext.toString('base64url')}`
    },
    async unwrap(wrapped) {
      const known = unwrapped.get(wrapped)
      if (known !== undefined) return known
      const [oldest] = unwrapped.keys()
      if (unwrapped.size >= cachedMax && oldest !== undefined) unwrapped.delete(oldest)
      // Store the promise: a cold start asks several times at once. A failure is asked again.
      const work = unwrap(wrapped).catch((error: unknown) => {
        unwrapped.delete(wrapped)
        throw error
      })
      unwrapped.set(wrapped, work)
      return work
    },
  }
}

function readWrapped(wrapped: string): Buffer {
  const text = /^kms1\.([\w-]+)$/.exec(wrapped)?.[1]
  if (text === undefined) throw fail('vault.unreadable')
  return Buffer.from(text, 'base64url')
}

function readChecked(base64: string, expected: string): Buffer {
  const bytes = Buffer.from(base64, 'base64')
  if (checksum(bytes) !== expected) throw damaged()
  return bytes
}

function damaged() {
  return fail('cloud.unavailable', 'A message to or from Cloud KMS was changed on its way.')
}

/** As JSON carries it: an int64 in decimal. */
function checksum(bytes: Buffer): string {
  return `${crc32c(bytes)}`
}
