/** Bytes that both ends know beforehand. */
import { createCipheriv, createHash } from 'node:crypto'

/** How much a source sends to each visitor. */
export const knownBytes = 16 * 1024 ** 2
export const sourceSeed = 7
/** What the web server answers. */
export const page = Buffer.alloc(4_096, 'soak ')

/** The first `bytes` of a source (harness/transfer.ts makes the same). */
export function knownSha256(bytes: number): string {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, sourceSeed), Buffer.alloc(16))
  return createHash('sha256')
    .update(cipher.update(Buffer.alloc(bytes)))
    .digest('hex')
}
