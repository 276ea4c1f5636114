/**
 * Fuzz of the frame decoder: valid streams of frames with random damage, cut anywhere. It must read what the naive
 * decoder reads up to the first violation, end every violation with a code, and hold at most one control frame.
 */
import { isFailure } from '../base/errors.ts'
import { decodeNaively } from '../testing/naive-frames.ts'
import { seededRandom } from '../testing/wire-pair.ts'
import { FrameDecoder, FrameType, readU48 } from './frames.ts'

const types = [...Object.values(FrameType), 0x00, 0x7f, 0x80, 0xff]
const usualLengths: Readonly<Record<number, number>> = {
  [FrameType.fin]: 6,
  [FrameType.credit]: 10,
  [FrameType.sync]: 16,
  [FrameType.reset]: 2,
  [FrameType.opened]: 4,
  [FrameType.lost]: 5,
  [FrameType.want]: 1,
  [FrameType.ping]: 8,
  [FrameType.pong]: 8,
}

function makeFrames(random: () => number): Buffer {
  const frames: Buffer[] = []
  for (let n = 1 + Math.floor(random() * 5); n > 0; n--) {
    const type = types[Math.floor(random() * types.length)] as number
    const usual = usualLengths[type] ?? Math.floor(random() * 60)
    const length = random() < 0.9 ? usual : Math.floor(random() * 70)
    const frame = Buffer.alloc(8 + length, Math.floor(random() * 256))
    frame.writeUInt32BE(type * 0x1000000 + length, 0)
    frame.writeUInt32BE(Math.floor(random() * 9), 4)
    frames.push(frame)
  }
  const bytes = Buffer.concat(frames)
  if (random() < 0.3 && bytes.length > 0)
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
  return bytes
}

/** One frame as text; the comparison joins DATA pieces. */
type Seen = { readonly key: string; hex: string; next: number }

function decode(bytes: Buffer, random: () => number): { seen: Seen[]; isWhole: boolean } {
  const decoder = new FrameDecoder()
  const seen: Seen[] = []
  const handler = {
    onData(stream: number, offset: number, piece: Buffer) {
      const last = seen.at(-1)
      if (last && last.key === `data ${stream}` && last.next === offset) last.hex += piece.toString('hex')
      else seen.push({ key: `data ${stream}`, hex: piece.toString('hex'), next: offset })
      ;(seen.at(-1) as Seen).next = offset + piece.length
    },
    onFrame(type: number, stream: number, payload: { buffer: Buffer; start: number; length: number }) {
      const { buffer, start, length } = payload
      seen.push({ key: `${type} ${stream}`, hex: buffer.toString('hex', start, start + length), next: -1 })
    },
  }
  try {
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + Math.floor(random() * bytes.length)
      decoder.push(bytes.subarray(at, end), handler)
      at = end
    }
    return { seen, isWhole: true }
  } catch (error) {
    if (!isFailure(error)) throw error
    return { seen, isWhole: false }
  }
}

/** @throws with the input at the first difference */
export function runCases({ seed, cases }: { readonly seed: number; readonly cases: number }): {
  whole: number
} {
  const random = seededRandom(seed)
  let whole = 0
  for (let n = 0; n < cases; n++) {
    const bytes = makeFrames(random)
    const { seen, isWhole } = decode(bytes, random)
    if (isWhole) whole += 1
    const expected: Seen[] = []
    for (const { type, stream, payload } of decodeNaively(bytes)) {
      if (type >= 0x80 && type !== FrameType.notice) continue
      const isData = type === FrameType.data && payload.length > 6
      const offset = isData ? readU48(payload, 0) : -1
      const last = expected.at(-1)
      const hex = payload.toString('hex', isData ? 6 : 0)
      const next = isData ? offset + payload.length - 6 : -1
      if (isData && last?.key === `data ${stream}` && last.next === offset)
        Object.assign(last, { hex: last.hex + hex, next })
      else expected.push({ key: isData ? `data ${stream}` : `${type} ${stream}`, hex, next })
    }
    const isPrefix = seen.every(
      ({ key, hex }, at) =>
        expected[at]?.key === key &&
        (expected[at].hex === hex || (at === seen.length - 1 && expected[at].hex.startsWith(hex))),
    )
    if (!isPrefix) throw new Error(`seed ${seed}, case ${n}: ${bytes.toString('hex')}`)
  }
  return { whole }
}
