/**
 * The slow, obvious twin of the frame decoder: whole frames from a whole buffer. Tests compare the fast one with it.
 */
export type NaiveFrame = { readonly type: number; readonly stream: number; readonly payload: Buffer }

export function decodeNaively(bytes: Buffer): NaiveFrame[] {
  const frames: NaiveFrame[] = []
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUIntBE(at + 1, 3)
    frames.push({
      type: bytes.readUInt8(at),
      stream: bytes.readUInt32BE(at + 4),
      payload: bytes.subarray(at + 8, at + 8 + length),
    })
    at += 8 + length
  }
  return frames
}
