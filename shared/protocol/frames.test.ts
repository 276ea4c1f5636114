import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { isFailure } from '../base/errors.ts'
import { decodeNaively } from '../testing/naive-frames.ts'
import {
  dataHeaderBytes,
  decodeJson,
  decodeOpen,
  encodeJson,
  encodeOpen,
  FrameDecoder,
  FrameType,
  type Payload,
  readU48,
  writeDataHead,
  writeHead,
  writeU48,
} from './frames.ts'
import { limits } from './limits.ts'

type Seen = { type: number; stream: number; offset?: number; payload: string }

/** Decodes `pieces` and joins DATA that came in pieces, so that only the frames' meaning is compared. */
function decode(pieces: readonly Buffer[]): Seen[] {
  const seen: Seen[] = []
  const decoder = new FrameDecoder()
  let dataEnd = -1
  for (const piece of pieces) {
    decoder.push(piece, {
      onData(stream, offset, bytes) {
        const last = seen.at(-1)
        if (last && last.type === FrameType.data && last.stream === stream && dataEnd === offset) {
          last.payload += bytes.toString('hex')
        } else seen.push({ type: FrameType.data, stream, offset, payload: bytes.toString('hex') })
        dataEnd = offset + bytes.length
      },
      onFrame(type, stream, { buffer, start, length }) {
        dataEnd = -1
        seen.push({ type, stream, payload: buffer.toString('hex', start, start + length) })
      },
    })
  }
  return seen
}

function data(stream: number, offset: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(dataHeaderBytes)
  writeDataHead(head, 0, stream, offset, bytes.length)
  return Buffer.concat([head, bytes])
}

function frame(type: FrameType, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8)
  writeHead(head, 0, { type, length: payload.length, stream })
  return Buffer.concat([head, payload])
}

const u32 = fc.integer({ min: 0, max: 0xffffffff })
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const fixed = (type: FrameType, bytes: number) =>
  fc
    .tuple(u32, fc.uint8Array({ minLength: bytes, maxLength: bytes }))
    .map(([s, p]) => frame(type, s, Buffer.from(p)))
const anyFrame = fc.oneof(
  fc
    .tuple(u32, u48, fc.uint8Array({ minLength: 1, maxLength: 400 }))
    .map(([s, o, b]) => data(s, o, Buffer.from(b))),
  fixed(FrameType.credit, 10),
  fixed(FrameType.sync, 16),
  fixed(FrameType.fin, 6),
  fixed(FrameType.reset, 2),
  fixed(FrameType.ping, 8),
  fixed(FrameType.plain, 0),
  fixed(FrameType.lost, 5),
  fc.object().map((body) => encodeJson(FrameType.notice, body)),
)

describe('frames', () => {
  test('any split of the byte stream gives the same frames as the naive decoder', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 30 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames)
          const pieces: Buffer[] = []
          for (let at = 0, n = 0; at < bytes.length; n++) {
            const size = cuts[n % cuts.length] as number
            pieces.push(bytes.subarray(at, at + size))
            at += size
          }
          const expected: Seen[] = []
          let dataEnd = -1
          for (const { type, stream, payload } of decodeNaively(bytes)) {
            if (type !== FrameType.data) {
              expected.push({ type, stream, payload: payload.toString('hex') })
              dataEnd = -1
              continue
            }
            const offset = readU48(payload, 0)
            const last = expected.at(-1)
            if (last && last.type === FrameType.data && last.stream === stream && dataEnd === offset)
              last.payload += payload.toString('hex', 6)
            else expected.push({ type, stream, offset, payload: payload.toString('hex', 6) })
            dataEnd = offset + payload.length - 6
          }
          expect(decode(pieces)).toEqual(expected)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('one frame of each kind survives a cut at every byte', () => {
    const open = encodeOpen(7, {
      bind: 3,
      window: 65_536,
      awaitsUpgrade: true,
      atMs: 1_700_000_000_000,
      visitorAddress: '2001:db8::1',
      visitorPort: 50_000,
      localPort: 443,
    })
    const bytes = Buffer.concat([
      open,
      data(7, 2 ** 40, Buffer.from('hello')),
      frame(FrameType.fin, 7, Buffer.alloc(6)),
    ])
    const whole = decode([bytes])
    expect(whole).toHaveLength(3)
    for (let cut = 1; cut < bytes.length; cut++)
      expect(decode([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole)
  })

  test('DATA payloads are views of the pushed chunk, never copies', () => {
    const chunk = data(1, 0, Buffer.alloc(1_000, 1))
    let view: Buffer | undefined
    new FrameDecoder().push(chunk, {
      onData(_stream, _offset, bytes) {
        view = bytes
      },
      onFrame() {},
    })
    expect(view?.buffer).toBe(chunk.buffer)
  })

  test('random bytes end in frames or in a coded violation, never in another error', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }), (pieces) => {
        try {
          decode(pieces.map((piece) => Buffer.from(piece)))
        } catch (error) {
          if (!isFailure(error)) throw error
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    [
      'DATA longer than 64 KiB',
      frame(FrameType.data, 1, Buffer.alloc(limits.payloadBytesMax + 1)),
      'frame.too_long',
    ],
    ['DATA without a byte', frame(FrameType.data, 1, Buffer.alloc(6)), 'frame.malformed'],
    ['CREDIT of 9 bytes', frame(FrameType.credit, 1, Buffer.alloc(9)), 'frame.malformed'],
    [
      'HELLO over 16 KiB',
      frame(FrameType.hello, 0, Buffer.alloc(limits.controlBytesMax + 1)),
      'frame.too_long',
    ],
    ['unknown type below 0x80', frame(0x7f as FrameType, 0, Buffer.alloc(1)), 'frame.unknown'],
    [
      'skippable type over the limit',
      frame(0xf0 as FrameType, 0, Buffer.alloc(limits.payloadBytesMax + 1)),
      'frame.too_long',
    ],
  ] as const)('%s is a violation', (_name, bytes, key) => {
    expect(() => decode([bytes])).toThrow(expect.objectContaining({ key }))
  })

  test('an unknown type with the high bit is skipped, whatever the split', () => {
    const bytes = Buffer.concat([
      frame(0xf0 as FrameType, 0, Buffer.alloc(50)),
      frame(FrameType.plain, 2, Buffer.alloc(0)),
    ])
    for (let cut = 1; cut < bytes.length; cut++)
      expect(decode([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual([
        { type: FrameType.plain, stream: 2, payload: '' },
      ])
  })

  test('u48 round trips over its whole range', () => {
    const buffer = Buffer.alloc(6)
    fc.assert(
      fc.property(u48, (value) => {
        writeU48(buffer, value, 0)
        return readU48(buffer, 0) === value
      }),
    )
  })

  test('OPEN refuses what is not an IP address', () => {
    const bytes = frame(FrameType.open, 1, Buffer.concat([Buffer.alloc(19), Buffer.from('evil.example')]))
    const payload: Payload = { buffer: bytes, start: 8, length: bytes.length - 8 }
    expect(() => decodeOpen(payload)).toThrow(expect.objectContaining({ key: 'frame.malformed' }))
  })

  test('a body of the wrong shape is malformed', () => {
    const bytes = encodeJson(FrameType.notice, { code: 1 })
    const payload: Payload = { buffer: bytes, start: 8, length: bytes.length - 8 }
    expect(() => decodeJson(z.object({ code: z.string() }), payload)).toThrow(
      expect.objectContaining({ key: 'frame.malformed' }),
    )
  })
})
