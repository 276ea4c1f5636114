/**
 * The part of DER (X.690) that requests for certificates need: for csr.ts to write, and for chain.ts to read two fields
 * that Node does not show. A library for all of X.509 would cost every cold start ten megabytes.
 */

export const tags = { integer: 0x02, bits: 0x03, octets: 0x04, sequence: 0x30, set: 0x31 } as const

/** One value: tag, length, content. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body])
}

function lengthOf(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes])
  return bytes < 0x100 ? Buffer.from([0x81, bytes]) : Buffer.from([0x82, bytes >> 8, bytes & 0xff])
}

export type DerValue = { readonly tag: number; readonly body: Buffer }

/** The values in `bytes`, one after the other. @throws RangeError when they do not fill it exactly */
export function derValues(bytes: Buffer): readonly DerValue[] {
  const values: DerValue[] = []
  let at = 0
  while (at < bytes.length) {
    const tag = bytes.readUInt8(at)
    const first = bytes.readUInt8(at + 1)
    const longs = first < 0x80 ? 0 : first & 0x7f
    if (longs > 3) throw new RangeError('a length of more than three bytes')
    const length = longs === 0 ? first : bytes.readUIntBE(at + 2, longs)
    const begin = at + 2 + longs
    if (begin + length > bytes.length) throw new RangeError('a value is longer than what holds it')
    values.push({ tag, body: bytes.subarray(begin, begin + length) })
    at = begin + length
  }
  return values
}
