/** Bytes that both ends know beforehand. */
import { createCipheriv, createHash } from 'node:crypto'

/** What a source sends to each who comes. */
export const knownBytes = 16 * 1024 ** 2
export const sourceSeed = 7
/** What the web server answers. */
export const page = Buffer.alloc(4_096, 'soak ')

/** The first `bytes` of what a source sends (harness/transfer.ts makes them so too). */
export function knownSha256(bytes: number): string {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, sourceSeed), Buffer.alloc(16))
  return createHash('sha256')
    .update(cipher.update(Buffer.alloc(bytes)))
    .digest('hex')
}
