import { constants, createDeflateRaw } from 'node:zlib'
import type { InspectedFrame } from '@porttunneler/shared/api/schemas/inspection'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deflateOf, Lane, type LaneOptions, Unpacking } from './unpacking.ts'
import type { SocketMessage } from './web-socket.ts'

/** Compresses messages as RFC 7692 says it: one stream that is flushed behind each, without the tail. */
function packer() {
  const stream = createDeflateRaw()
  const parts: Buffer[] = []
  stream.on('data', (part: Buffer) => parts.push(part))
  return (text: string): Promise<SocketMessage & { packed: Buffer }> =>
    new Promise((resolve) => {
      stream.write(text)
      stream.flush(constants.Z_SYNC_FLUSH, () => {
        const packed = Buffer.concat(parts.splice(0)).subarray(0, -4)
        resolve({ ...asPacked(packed.length), packed })
      })
    })
}

const asPacked = (bytes: number): SocketMessage => ({
  kind: 'text',
  bytes,
  text: '',
  isCut: true,
  isPacked: true,
})
const plain = (text: string): SocketMessage => ({ kind: 'text', bytes: text.length, text, isCut: false })
const chained = { visitor: true, upstream: true }

function openLane(options: Partial<LaneOptions> = {}) {
  const frames: Omit<InspectedFrame, 'n'>[] = []
  let taken = 0
  const lane = new Lane({
    unpacking: new Unpacking(),
    deflate: chained,
    room: {
      take: (bytes) => {
        taken += bytes
        return true
      },
      give: (bytes) => {
        taken -= bytes
      },
    },
    isKept: () => true,
    now: () => 1,
    onFrame: (frame) => frames.push(frame),
    ...options,
  })
  const told = async (count: number) => {
    await expect.poll(() => frames.length, { timeout: 5_000, interval: 1 }).toBe(count)
    return frames.map(({ text, isPacked }) => (isPacked ? '(packed)' : text))
  }
  return { lane, frames, told, taken: () => taken }
}

describe('what was agreed about compression', () => {
  test.each([
    [['permessage-deflate'], { visitor: true, upstream: true }],
    [['permessage-deflate; server_no_context_takeover'], { visitor: true, upstream: false }],
    [
      ['Permessage-Deflate;client_no_context_takeover ; server_max_window_bits=10'],
      { visitor: false, upstream: true },
    ],
    [[], undefined],
    [['x-webkit-deflate-frame'], undefined],
    [['permessage-deflate; something=1'], undefined],
    [['permessage-deflate, other'], undefined],
    [['permessage-deflate', 'other'], undefined],
  ])('%j', (values, wanted) => expect(deflateOf(values)).toEqual(wanted))
})

describe('compressed messages', () => {
  test('are unpacked with the help of earlier ones, between others in their order, and their room is given back', async () => {
    const { lane, frames, told, taken } = openLane()
    const [visitor, upstream] = [packer(), packer()]
    const texts = ['hello hello', 'hello hello again', `${'long '.repeat(20_000)}end`, 'hello from before']
    for (const text of texts) {
      lane.take('visitor', await visitor(text))
      lane.take('upstream', plain('as it is'))
      lane.take('upstream', await upstream(`${text}!`))
    }
    const wanted = texts.flatMap((text) => [text.slice(0, 16_384), 'as it is', `${text}!`.slice(0, 16_384)])
    expect(await told(12)).toEqual(wanted)
    expect(frames[3]).toMatchObject({ bytes: 17, isCut: false, packedBytes: expect.any(Number) })
    expect(frames[6]).toMatchObject({ bytes: 100_003, isCut: true })
    expect(taken()).toBe(65_536)
    lane.end()
    expect(taken()).toBe(0)
  })

  test('of a side that begins anew each time are unpacked, also behind one that is lost', async () => {
    const { lane, told } = openLane({ deflate: { visitor: false, upstream: false } })
    lane.take('visitor', await packer()('one'))
    lane.take('visitor', asPacked(200_000))
    lane.take('visitor', await packer()('two'))
    expect(await told(3)).toEqual(['one', '(packed)', 'two'])
  })

  test('that unpack to more than a megabyte are cut, and what may refer to them shows as compressed', async () => {
    const { lane, frames, told } = openLane()
    const [visitor, upstream] = [packer(), packer()]
    const bomb = await visitor('b'.repeat(3_000_000))
    expect(bomb.bytes).toBeLessThan(5_000)
    lane.take('visitor', bomb)
    lane.take('visitor', await visitor('later'))
    lane.take('upstream', await upstream('of the other side'))
    expect((await told(3)).map((text) => text.slice(0, 9))).toEqual(['bbbbbbbbb', '(packed)', 'of the ot'])
    expect(frames[0]).toMatchObject({ isCut: true })
    expect(frames[0]?.bytes).toBeLessThan(1_100_000)
  })

  test('that come faster than they are unpacked are told as they came, in their order', async () => {
    const { lane, told } = openLane()
    const pack = packer()
    const first = await pack('first')
    const long = { ...asPacked(120_000), packed: Buffer.alloc(120_000) }
    for (const message of [first, long, long, long, await pack('later')]) lane.take('upstream', message)
    lane.take('upstream', plain('plain'))
    expect(await told(6)).toEqual(['(packed)', '(packed)', '(packed)', '(packed)', '(packed)', 'plain'])
  })

  test('of many sockets take turns, and of more than the agent has room for they show as they came', async () => {
    const unpacking = new Unpacking()
    const lanes = Array.from({ length: 40 }, () => openLane({ unpacking }))
    const message = await packer()('hello')
    for (const { lane } of lanes) lane.take('visitor', message)
    const all = await Promise.all(lanes.map(({ told }) => told(1)))
    expect(all.slice(0, 33).flat()).toEqual(Array.from({ length: 33 }, () => 'hello'))
    expect(all.slice(33).flat()).toEqual(Array.from({ length: 7 }, () => '(packed)'))
  })

  test('that are long and still coming have a bound for all sockets, and leave it when they end', () => {
    const unpacking = new Unpacking()
    const one = openLane({ unpacking }).lane
    const other = openLane({ unpacking }).lane
    expect(one.mayKeep('visitor', 8_000_000)).toBe(true)
    expect(other.mayKeep('visitor', 1)).toBe(false)
    one.end()
    expect(other.mayKeep('visitor', 1)).toBe(true)
  })

  test('without room in the ring, or of a request that is gone, are not unpacked', async () => {
    const full = openLane({ room: { take: () => false, give() {} } })
    expect(full.lane.mayKeep('visitor', 10)).toBe(false)
    const gone = openLane({ isKept: () => false })
    gone.lane.take('visitor', await packer()('hello'))
    gone.lane.end()
    expect([gone.frames, gone.taken()]).toEqual([[], 0])
  })

  test('that are no deflate end nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 5 }),
        async (all) => {
          const { lane, told } = openLane()
          for (const bytes of all)
            lane.take('visitor', { ...asPacked(bytes.length), packed: Buffer.from(bytes) })
          lane.take('visitor', plain('last'))
          expect((await told(all.length + 1)).at(-1)).toBe('last')
        },
      ),
      { numRuns: 30 },
    )
  })
})
