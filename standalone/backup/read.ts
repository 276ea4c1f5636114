/** Reads a backup from its first byte to its last, and compares every file with the list. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { introBytes, isSealed, unseal } from './age.ts'
import { ByteReader } from './byte-reader.ts'
import { type Manifest, manifestBytesMax, manifestName, parseManifest } from './manifest.ts'
import { nextTarEntry, skipPadding } from './tar.ts'

export type BackupReading = {
  readonly file: string
  readonly passphrase?: Secret | undefined
  /** Takes the content of each file; without it the file is only checked. */
  readonly store?: (name: string, content: AsyncIterable<Buffer>) => Promise<void>
}

/** @throws backup.damaged, backup.passphrase, backup.newer, and what `store` throws */
export async function readBackup({ file, passphrase, store = pass }: BackupReading): Promise<Manifest> {
  let manifest: Manifest | undefined
  try {
    await pipeline(unpacked(file, passphrase), createGunzip(), async (tar: AsyncIterable<Buffer>) => {
      manifest = await readAll(new ByteReader(tar), store)
    })
  } catch (cause) {
    if (isFailure(cause)) throw cause
    if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_'))
      throw fail('backup.damaged', `${file} is not a whole backup.`, { cause })
    throw fail('backup.failed', `${file} cannot be read${sayFileError(cause)}`, { cause })
  }
  if (!manifest) throw fail('backup.damaged')
  return manifest
}

async function* unpacked(file: string, passphrase: Secret | undefined): AsyncGenerator<Buffer> {
  const stream = createReadStream(file)
  try {
    const reader = new ByteReader(stream)
    const isEncrypted = isSealed(await reader.peek(introBytes))
    if (isEncrypted && !passphrase) throw fail('backup.passphrase', `${file} is encrypted.`)
    // Somebody may have put a backup of their own in the place of ours.
    if (!isEncrypted && passphrase) throw fail('backup.passphrase', `${file} is not encrypted.`)
    yield* passphrase ? unseal(reader, passphrase) : reader.stream(Number.POSITIVE_INFINITY)
  } finally {
    stream.destroy()
  }
}

async function readAll(reader: ByteReader, store: NonNullable<BackupReading['store']>): Promise<Manifest> {
  const first = await nextTarEntry(reader)
  if (first?.name !== manifestName || first.bytes > manifestBytesMax) throw fail('backup.damaged')
  const manifest = parseManifest((await reader.take(first.bytes)).toString('utf8'))
  await skipPadding(reader, first)
  for (const { name, bytes, sha256 } of manifest.files) {
    const entry = await nextTarEntry(reader)
    if (entry?.name !== name || entry.bytes !== bytes) throw fail('backup.damaged')
    const hash = createHash('sha256')
    await store(name, hashed(reader.stream(bytes), hash))
    if (hash.digest('hex') !== sha256) throw fail('backup.damaged', `${name} in it is not what was written.`)
    await skipPadding(reader, entry)
  }
  if (await nextTarEntry(reader)) throw fail('backup.damaged')
  // To the end, where the encryption says that nothing was cut.
  for await (const rest of reader.stream(Number.POSITIVE_INFINITY))
    if (rest.some((byte) => byte !== 0)) throw fail('backup.damaged')
  return manifest
}

async function* hashed(
  content: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  for await (const part of content) {
    hash.update(part)
    yield part
  }
}

async function pass(_name: string, content: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of content);
}
