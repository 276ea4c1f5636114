/**
 * Files encrypted by a passphrase in the format of age (age-encryption.org/v1, scrypt recipient), so a backup can be
 * opened without this program: `age -d backup.tar.gz.age | tar -xz`. The key of the file is wrapped by scrypt; the
 * content follows in chunks of 64 KiB, each sealed by ChaCha20-Poly1305 with its number and a mark at the last one. So
 * a file that was changed, cut or put together from two is not opened.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import type { ByteReader } from './byte-reader.ts'

const intro = 'age-encryption.org/v1'
const algorithm = 'chacha20-poly1305'
const chunkBytes = 64 * 1024
const tagBytes = 16
const saltBytes = 16
const lineMax = 128
/** 2^17 takes 128 MB and a third of a second. */
const workFactorUsual = 17
/** A hostile file must not take all memory: 2^20 is 1 GB. */
const workFactorMax = 20

/** Whether the bytes begin a file of this format. */
export function isSealed(start: Uint8Array): boolean {
  return Buffer.from(start).toString('latin1').startsWith(intro)
}
/** How many bytes `isSealed` looks at. */
export const introBytes = intro.length

export async function* seal(
  plain: AsyncIterable<Uint8Array>,
  passphrase: Secret,
  workFactor = workFactorUsual,
): AsyncGenerator<Buffer> {
  const fileKey = randomBytes(16)
  const salt = randomBytes(saltBytes)
  const wrapped = box(await wrapKey(passphrase, salt, workFactor), Buffer.alloc(12), fileKey)
  const head = `${intro}\n-> scrypt ${base64(salt)} ${workFactor}\n${base64(wrapped)}\n---`
  const nonce = randomBytes(16)
  yield Buffer.concat([Buffer.from(`${head} ${base64(macOf(fileKey, head))}\n`, 'latin1'), nonce])
  const key = derive(fileKey, { salt: nonce, info: 'payload' })
  let number = 0
  for await (const { chunk, isLast } of chunksOf(plain)) {
    yield box(key, chunkNonce(number, isLast), chunk)
    number += 1
  }
}

/** The content. @throws backup.passphrase when it is another one, backup.damaged */
export async function* unseal(sealed: ByteReader, passphrase: Secret): AsyncGenerator<Buffer> {
  const [first, stanza, body, last] = [
    await sealed.line(lineMax),
    await sealed.line(lineMax),
    await sealed.line(lineMax),
    await sealed.line(lineMax),
  ]
  const [, salt = '', factor = ''] = /^-> scrypt ([\w+/]{22}) ([1-9]\d?)$/.exec(stanza ?? '') ?? []
  const [, mac] = /^--- ([\w+/]{43})$/.exec(last ?? '') ?? []
  if (first !== intro || salt === '' || body === undefined || mac === undefined)
    throw fail('backup.damaged', 'It is not encrypted by one passphrase in the way of a backup.')
  if (Number(factor) > workFactorMax) throw fail('backup.damaged', 'Its passphrase would take all memory.')
  const wrapKeyOf = await wrapKey(passphrase, Buffer.from(salt, 'base64'), Number(factor))
  const fileKey = openBox(wrapKeyOf, Buffer.alloc(12), Buffer.from(body, 'base64'))
  if (fileKey?.length !== 16) throw fail('backup.passphrase', 'The passphrase is another one.')
  const head = `${intro}\n${stanza}\n${body}\n---`
  const given = Buffer.from(mac, 'base64')
  // The last character has bits that count for nothing.
  const isExact = given.length === 32 && base64(given) === mac
  if (!isExact || !timingSafeEqual(given, macOf(fileKey, head))) throw fail('backup.damaged')
  const key = derive(fileKey, { salt: await sealed.take(16), info: 'payload' })
  for (let number = 0, isLast = false; !isLast; number++) {
    const chunk = await sealed.take(chunkBytes + tagBytes)
    isLast = (await sealed.peek(1)).length === 0
    const plain = openBox(key, chunkNonce(number, isLast), chunk)
    if (!plain || (plain.length === 0 && number > 0)) throw fail('backup.damaged')
    yield plain
  }
}

async function* chunksOf(
  plain: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly chunk: Buffer; readonly isLast: boolean }> {
  let held: Buffer = Buffer.alloc(0)
  for await (const part of plain) {
    held = Buffer.concat([held, part])
    // Only when more follows is it known that a chunk is not the last.
    while (held.length > chunkBytes) {
      yield { chunk: held.subarray(0, chunkBytes), isLast: false }
      held = held.subarray(chunkBytes)
    }
  }
  yield { chunk: held, isLast: true }
}

/** Eleven bytes of number, one that marks the last chunk. */
function chunkNonce(number: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64BE(BigInt(number), 3)
  nonce[11] = isLast ? 1 : 0
  return nonce
}

function box(key: Buffer, nonce: Buffer, plain: Uint8Array): Buffer {
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Undefined when it was not sealed by this key. */
function openBox(key: Buffer, nonce: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < tagBytes) return undefined
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()])
  } catch (error) {
    if (isFailure(error)) throw error
    return undefined
  }
}

function wrapKey(passphrase: Secret, salt: Buffer, workFactor: number): Promise<Buffer> {
  const full = Buffer.concat([Buffer.from(`${intro}/scrypt`), salt])
  const N = 2 ** workFactor
  const cost = { N, r: 8, p: 1, maxmem: 128 * 8 * (N + 32) * 2 }
  return new Promise((resolve, reject) =>
    scrypt(passphrase.reveal(), full, 32, cost, (error, key) => (error ? reject(error) : resolve(key))),
  )
}

function macOf(fileKey: Buffer, head: string): Buffer {
  const key = derive(fileKey, { salt: Buffer.alloc(0), info: 'header' })
  return createHmac('sha256', key).update(head, 'latin1').digest()
}

function derive(fileKey: Buffer, { salt, info }: { readonly salt: Buffer; readonly info: string }): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, salt, info, 32))
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
