/** The little of tar (POSIX ustar) that a backup needs: regular files with short names, so any tar can unpack it. */
import { fail } from '@porttunneler/shared/base/errors'
import type { ByteReader } from './byte-reader.ts'

const blockBytes = 512
const nameMax = 99
/** Eleven octal digits. */
const sizeMax = 8 ** 11 - 1

export type TarEntry = { readonly name: string; readonly bytes: number }

/** @throws backup.failed for a file that tar cannot name or hold */
export function tarHeader({ name, bytes }: TarEntry, atMs: number): Buffer {
  if (Buffer.byteLength(name) > nameMax) throw fail('backup.failed', `${name} has too long a name.`)
  if (bytes > sizeMax) throw fail('backup.failed', `${name} is larger than 8 GiB.`)
  const head = Buffer.alloc(blockBytes)
  const octal = (value: number, { at, digits }: { readonly at: number; readonly digits: number }) =>
    head.write(`${Math.floor(value).toString(8).padStart(digits, '0')}\0`, at, 'latin1')
  head.write(name, 0, 'utf8')
  octal(0o600, { at: 100, digits: 7 })
  octal(0, { at: 108, digits: 7 })
  octal(0, { at: 116, digits: 7 })
  octal(bytes, { at: 124, digits: 11 })
  octal(atMs / 1000, { at: 136, digits: 11 })
  head.write('0', 156, 'latin1')
  head.write('ustar\u000000', 257, 'latin1')
  head.write(`${sumOf(head).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return head
}

/** Fills the last block of a file of this size. */
export function tarPadding(bytes: number): Buffer {
  return Buffer.alloc(paddingOf(bytes))
}

/** Two empty blocks. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * blockBytes)
}

/** The next file; its content follows in the reader, and then `skipPadding`. @throws backup.damaged */
export async function nextTarEntry(reader: ByteReader): Promise<TarEntry | undefined> {
  const head = await reader.take(blockBytes)
  if (head.length !== blockBytes) throw fail('backup.damaged')
  if (head.every((byte) => byte === 0)) return undefined
  const text = (from: number, to: number) => head.toString('utf8', from, to).replace(/\0.*$/s, '')
  const isFile = text(156, 157) === '0' && text(257, 263) === 'ustar'
  const size = /^[0-7]{11}$/.exec(text(124, 136))?.[0]
  if (!isFile || size === undefined || Number.parseInt(text(148, 156), 8) !== sumOf(head))
    throw fail('backup.damaged')
  return { name: text(0, 100), bytes: Number.parseInt(size, 8) }
}

export async function skipPadding(reader: ByteReader, { bytes }: TarEntry): Promise<void> {
  await reader.take(paddingOf(bytes))
}

function paddingOf(bytes: number): number {
  return (blockBytes - (bytes % blockBytes)) % blockBytes
}

/** The sum counts its own field as blanks. */
function sumOf(head: Buffer): number {
  return head.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0)
}
