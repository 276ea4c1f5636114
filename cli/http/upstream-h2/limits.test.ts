import { codes } from '@porttunneler/shared/base/errors'
import type { Stream } from '@porttunneler/shared/mux/stream'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test, vi } from 'vitest'
import {
  errorCode,
  fieldBlock,
  frameFlag,
  frameType,
  get,
  ok,
  type RawPeer,
  settingsFrame,
  until,
} from '../../testing/raw-http2.ts'
import { pageOf, useRigs } from '../../testing/rigs.ts'

const rigs = useRigs()
const { endStream, endHeaders } = frameFlag

describe('a busy or hostile HTTP/2 upstream', () => {
  test('GOAWAY instead of each answer is tried three times', async () => {
    const rig = await rigs.raw((peer) =>
      peer.send(frameType.goaway, 0, 0, Buffer.concat([errorCode(0), errorCode(0)])),
    )
    const visitor = rig.visit().send(get)
    expect(await visitor.over()).toMatch(pageOf('upstream.reset'))
    expect(rig.connections()).toBe(3)
  })

  test.each([
    ['GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'],
    ['POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ])('GOAWAY once costs nobody a request: %j', async (request) => {
    let asked = 0
    let ended = 0
    const rig = await rigs.raw(
      (peer, id) => {
        asked += 1
        if (asked === 1) peer.send(frameType.goaway, 0, 0, Buffer.concat([errorCode(0), errorCode(0)]))
        else peer.send(frameType.headers, endHeaders | endStream, id, ok)
      },
      {
        onFrame: ({ type, flags }) => {
          // Only that of the second try counts.
          if (type === frameType.headers) ended = 0
          if (type <= frameType.headers && (flags & endStream) > 0) ended += 1
        },
      },
    )
    await rig.visit().send(request).heard('content-length: 0\r\n\r\n')
    expect(asked).toBe(2)
    await until(() => ended > 0)
  })

  test('no more requests than it allows go on a connection, and eight connections are all it gets', async () => {
    const open: (() => void)[] = []
    const rig = await rigs.raw(
      (peer, id) => open.push(() => peer.send(frameType.headers, endHeaders | endStream, id, ok)),
      { greeting: settingsFrame([3, 2]) },
    )
    const visitors = Array.from({ length: 20 }, () => rig.visit().send(get))
    await until(() => open.length === 16)
    expect(rig.connections()).toBe(8)
    for (const answer of open.splice(0)) answer()
    await until(() => {
      for (const answer of open.splice(0)) answer()
      return visitors.every(({ text }) => text.endsWith('\r\n\r\n'))
    })
    expect(rig.connections()).toBe(8)
  })

  test.each([
    ['a reset', (peer: RawPeer, id: number) => peer.send(frameType.reset, 0, id, errorCode(8))],
    ['the end of the connection', (peer: RawPeer) => void peer.socket.end()],
  ])('%s behind a whole answer takes nothing from a visitor that did not read it yet', async (_name, end) => {
    const rig = await rigs.raw((peer, id) => {
      const head = fieldBlock([':status', '200'], ['content-length', '60000'])
      peer.send(frameType.headers, endHeaders, id, head)
      for (let part = 1; part <= 6; part++)
        peer.send(frameType.data, part === 6 ? endStream : 0, id, Buffer.alloc(10_000))
      if (id > 1) end(peer, id)
    })
    const post = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhalf'
    const visitor = rig.visit()
    visitor.isHungry = false
    // The first answer fills the window, so that the second has to wait.
    visitor.send(get + post)
    await visitor.until(() => visitor.received > 60_000)
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    visitor.isHungry = true
    visitor.stream?.consumed(visitor.received)
    await visitor.until(() => visitor.resetCode !== undefined || visitor.received > 120_000)
    expect(visitor.resetCode).toBeUndefined()
  })
})

describe('a silent HTTP/2 upstream', () => {
  test('that allows no request at all costs a visitor 20 s and a page', async () => {
    const clock = new FakeClock()
    const rig = await rigs.raw(() => {}, { greeting: settingsFrame([3, 0]), clock })
    const visitor = rig.visit().send(get)
    await until(() => {
      clock.advance(500)
      return visitor.hasFin
    })
    expect(visitor.text).toMatch(pageOf('upstream.busy'))
  })

  test('that never greets is given up after 5 s', async () => {
    const clock = new FakeClock()
    const rig = await rigs.raw(() => {}, { greeting: Buffer.alloc(0), clock })
    const visitor = rig.visit().send(get)
    await until(() => {
      clock.advance(500)
      return visitor.resetCode !== undefined
    })
    expect(`PT-${visitor.resetCode}`).toBe(codes['upstream.no_http_two'].code)
  })

  test('with a window of nothing is sent nothing, and holds only what its visitor may send', async () => {
    const seen: number[] = []
    const rig = await rigs.raw(() => {}, {
      greeting: settingsFrame([4, 0]),
      onFrame: ({ type }) => seen.push(type),
    })
    const visitor = rig.visit()
    visitor.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${1e9}\r\n\r\n`)
    let total = 0
    while (visitor.stream?.write(Buffer.alloc(16_384)) && total < 1e7) total += 16_384
    await until(() => seen.includes(frameType.headers))
    expect(total).toBeLessThan(1_000_000)
    visitor.stream?.reset('stream.aborted')
    await until(() => seen.includes(frameType.reset))
    expect(seen).not.toContain(frameType.data)
  })

  test('that then resets the upload costs the visitor a page, and no byte is credited twice', async () => {
    const peers: RawPeer[] = []
    const rig = await rigs.raw((peer) => peers.push(peer), { greeting: settingsFrame([4, 0]) })
    const visitor = rig.visit().send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9999999\r\n\r\n')
    while (visitor.stream?.write(Buffer.alloc(4_096)));
    await until(() => peers.length === 1)
    const stream = rig.streams[0] as Stream
    const credited = vi.spyOn(stream, 'consumed')
    const before = stream.bytesIn
    peers[0]?.send(frameType.reset, 0, 1, errorCode(2))
    expect(await visitor.over()).toMatch(pageOf('upstream.reset'))
    // Writes to the upstream that failed report that after the page.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    const total = credited.mock.calls.reduce((sum, [bytes]) => sum + bytes, 0)
    expect(total).toBeGreaterThan(0)
    expect(total).toBeLessThanOrEqual(stream.bytesIn)
    expect(before).toBeGreaterThan(4_096)
    // Counted twice, the stream would never be done.
    visitor.stream?.end()
    await visitor.until(() => visitor.isClosed)
  })
})
