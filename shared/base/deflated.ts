/** Text that is kept small: deflated (RFC 1951), in base64. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'

export function deflated(text: string): string {
  return deflateRawSync(text).toString('base64')
}

/** @param bytesMax of the text @throws an Error if it is longer, or nothing that `deflated` returns */
export function inflated(packed: string, bytesMax: number): string {
  return inflateRawSync(Buffer.from(packed, 'base64'), { maxOutputLength: bytesMax }).toString()
}
