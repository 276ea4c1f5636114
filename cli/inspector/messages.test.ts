import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Visitor } from '../agent/visitors.ts'
import { settled, useInspectorRigs } from '../testing/inspector-rig.ts'
import { StreamVisitor } from '../testing/stream-visitor.ts'
import { EventStreamReader, type StreamEvent } from './event-stream.ts'
import { FrameLog, frameTextMax } from './frame-log.ts'
import { type SocketMessage, SocketReader } from './web-socket.ts'

const open = useInspectorRigs()
const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

type Sent = {
  readonly opcode: number
  readonly isLast: boolean
  readonly isMasked: boolean
  readonly data: Buffer
}

/** The plain twin of the reader, the other way round. */
function frameOf({ opcode, isLast, isMasked, data }: Sent): Buffer {
  const length = data.length
  const size =
    length < 126
      ? Buffer.from([length])
      : length < 65_536
        ? Buffer.from([126, length >> 8, length & 255])
        : Buffer.concat([
            Buffer.from([127, 0, 0, 0, 0]),
            Buffer.from([0, length >> 16, (length >> 8) & 255, length & 255]),
          ])
  if (isMasked) size[0] = (size[0] ?? 0) | 0x80
  const mask = Buffer.from(isMasked ? [1, 2, 3, 4] : [])
  const masked = Buffer.from(data.map((byte, at) => byte ^ (mask[at & 3] ?? 0)))
  return Buffer.concat([Buffer.from([(isLast ? 0x80 : 0) | opcode]), size, mask, masked])
}

function readAll(bytes: Buffer, cut: number): readonly SocketMessage[] {
  const messages: SocketMessage[] = []
  const reader = new SocketReader((message) => messages.push(message))
  for (let at = 0; at < bytes.length; at += cut) reader.read(bytes.subarray(at, at + cut))
  return messages
}

describe('messages of a WebSocket', () => {
  test('are the same however their bytes are split', () => {
    const frame = fc.record({
      opcode: fc.constantFrom(1, 2, 8, 9, 10),
      isLast: fc.constant(true),
      isMasked: fc.boolean(),
      data: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
    })
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), fc.integer({ min: 1, max: 9 }), (frames, cut) => {
        const bytes = Buffer.concat(frames.map(frameOf))
        const whole = readAll(bytes, bytes.length || 1)
        expect(readAll(bytes, cut)).toEqual(whole)
        expect(whole.map((message) => message.bytes)).toEqual(frames.map(({ data }) => data.length))
      }),
    )
  })

  test('fragments make one message, with a ping between them', () => {
    const part = (opcode: number, isLast: boolean, text: string) =>
      frameOf({ opcode, isLast, isMasked: true, data: Buffer.from(text) })
    const bytes = Buffer.concat([part(1, false, 'hel'), part(9, true, 'x'), part(0, true, 'lo')])
    expect(readAll(bytes, 1).map(({ kind, text }) => [kind, text])).toEqual([
      ['ping', '78'],
      ['text', 'hello'],
    ])
  })

  test('a long one keeps its beginning, and its whole length', () => {
    const bytes = frameOf({ opcode: 1, isLast: true, isMasked: false, data: Buffer.alloc(70_000, 'a') })
    const [message] = readAll(bytes, 1_000)
    expect(message).toMatchObject({ kind: 'text', bytes: 70_000, isCut: true })
    expect(message?.text.length).toBe(frameTextMax)
  })

  test('a compressed one is kept whole while there is room for it, and else not at all', () => {
    const packed = (length: number, isLast = true) =>
      frameOf({ opcode: 0x41, isLast, isMasked: true, data: Buffer.alloc(length, 'z') })
    const lengthsOf = (bytes: Buffer, mayKeep: (bytes: number) => boolean) => {
      const messages: SocketMessage[] = []
      const reader = new SocketReader((message) => messages.push(message), mayKeep)
      for (let at = 0; at < bytes.length; at += 999) reader.read(bytes.subarray(at, at + 999))
      return messages.map((message) => [message.bytes, message.packed?.length])
    }
    const rest = frameOf({ opcode: 0, isLast: true, isMasked: true, data: Buffer.alloc(70_000) })
    const all = Buffer.concat([packed(10), packed(60_000), packed(70_000, false), rest])
    expect(lengthsOf(all, () => true)).toEqual([
      [10, 10],
      [60_000, 60_000],
      [140_000, undefined],
    ])
    expect(lengthsOf(packed(60_000), (bytes) => bytes < 20_000)).toEqual([[60_000, undefined]])
    expect(lengthsOf(packed(60_000), () => false)).toEqual([[60_000, undefined]])
  })

  test('bytes that are no WebSocket end the reading without a word', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readAll(Buffer.from(bytes), 7)))
    expect(readAll(Buffer.from([0x83, 0x00, 0x81, 0x00]), 4)).toEqual([])
  })

  test('are recorded in both directions after the upgrade, and the connection goes on', async () => {
    const { visit, inspector, server } = await open((_request, response) => response.end())
    server.on('upgrade', (request, socket, early) => {
      socket.on('error', () => socket.destroy())
      const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
      const accept = createHash('sha1').update(key).digest('base64')
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${upgrade}Sec-WebSocket-Accept: ${accept}\r\n\r\n`)
      const echo = (bytes: Buffer) =>
        socket.write(frameOf({ opcode: 1, isLast: true, isMasked: false, data: bytes.subarray(6) }))
      if (early.length > 0) echo(early)
      socket.on('data', echo)
    })
    const visitor = visit({ awaitsUpgrade: true })
    visitor.ask(
      `GET /ws HTTP/1.1\r\nHost: a\r\n${upgrade}Sec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
    // A hasty visitor does not wait for the answer.
    visitor.ask(frameOf({ opcode: 1, isLast: true, isMasked: true, data: Buffer.from('ping') }))
    const frames = () => inspector.entry(1).frames?.list(0, 10) ?? []
    await expect.poll(() => frames().length, { timeout: 5_000, interval: 2 }).toBe(2)
    expect(frames().map(({ from, kind }) => [from, kind])).toEqual([
      ['visitor', 'text'],
      ['upstream', 'text'],
    ])
    expect(frames()[0]?.text).toBe('ping')
    expect(inspector.entry(1).status).toBe(101)
  })
})

describe('server-sent events', () => {
  const read = (text: string, cut: number) => {
    const events: StreamEvent[] = []
    const reader = new EventStreamReader((event) => events.push(event))
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += cut) reader.read(bytes.subarray(at, at + cut))
    return events.map((event) => event.text)
  }

  test.each([1, 2, 3, 1_000])(
    'end with an empty line, with any line ends, read %i bytes at a time',
    (cut) => {
      expect(read('data: 1\n\ndata: 2\r\n\r\nevent: x\rdata: 3\r\r: comment\n\ndata: open', cut)).toEqual([
        'data: 1',
        'data: 2',
        'event: x\rdata: 3',
        ': comment',
      ])
    },
  )

  test('are recorded while their answer goes on', async () => {
    const { visit, inspector } = await open((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      response.write('data: one\n\n')
    })
    visit().ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect
      .poll(() => inspector.recorder.ring.get(1)?.frames?.total, { timeout: 5_000, interval: 2 })
      .toBe(1)
    expect(inspector.entry(1).ms).toBeUndefined()
  })
})

describe('the log of messages', () => {
  test('keeps the newest within its bounds and gives back what it drops', () => {
    let taken = 0
    const log = new FrameLog({
      take: (bytes) => {
        taken += bytes
        return true
      },
      give: (bytes) => {
        taken -= bytes
      },
    })
    for (let n = 0; n < 3_000; n++)
      log.add({ at: n, from: 'visitor', kind: 'text', bytes: 1_000, text: 'x'.repeat(1_000), isCut: false })
    const kept = log.list(0, 2_000)
    expect(log.total).toBe(3_000)
    expect(kept.at(-1)?.n).toBe(3_000)
    expect(taken).toBe(kept.length * 2_200)
    expect(taken).toBeLessThanOrEqual(1_000_000)
  })
})

test('without an inspector nothing stands between: the sink is the visitor, the stream its own', async () => {
  const { desk, tunnel } = await open((_request, response) => response.end('x'))
  const { VisitorDesk } = await import('../agent/visitor-desk.ts')
  const { systemClock } = await import('@porttunneler/shared/base/clock')
  const { Turn } = await import('@porttunneler/shared/mux/turn')
  const plain = new VisitorDesk({
    clock: systemClock,
    turn: new Turn(),
    emit() {},
    visitorsMax: 2,
    onIdle() {},
  })
  const visitor = new StreamVisitor().enter(plain, tunnel)
  expect(visitor.sink).toBeInstanceOf(Visitor)
  expect(tunnel.streams.has(visitor)).toBe(true)
  visitor.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await expect.poll(() => visitor.heard.length, { timeout: 5_000, interval: 2 }).toBeGreaterThan(0)
  plain.close()
  // The other desk has one.
  expect(new StreamVisitor().enter(desk, tunnel).sink).not.toBeInstanceOf(Visitor)
})

test('a request in flight that had to make room is forgotten, and the next is recorded', async () => {
  const limits = { bytes: 20_000, requests: 2, pinnedBytes: 10_000, pinned: 1 }
  const { visit, inspector } = await open(
    (request, response) => setTimeout(() => response.end(request.url), 5),
    {},
    limits,
  )
  for (const path of ['/1', '/2', '/3', '/4']) visit().ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
  await settled(inspector, 4)
  expect(inspector.recorder.ring.size).toBe(2)
  expect(inspector.recorder.ring.get(1)).toBeUndefined()
})
