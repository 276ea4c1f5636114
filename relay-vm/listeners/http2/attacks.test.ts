/** Visitors who speak HTTP/2 to harm: each loses its connection, costs little, and others notice nothing. */
import { Buffer } from 'node:buffer'
import { limits } from '@porttunneler/shared/protocol/limits'
import { describe, expect, test } from 'vitest'
import { fatal, ids, repeated } from '../../testing/hostile-visitors.ts'
import { answer, type Rig, say, useRigs } from '../../testing/http-rig.ts'
import { goaways, opening, request } from '../../testing/http2-frames.ts'
import { ask, asked, over, when } from '../../testing/http2-visitor.ts'

const startRigs = useRigs()
const startRig = () => startRigs({ isHttp2: true })

/** One visitor's requests still pass beside it. */
async function servesOthers(rig: Rig): Promise<void> {
  const before = rig.upstreams.length
  const call = ask(rig.connect(), { ':path': '/other' })
  const upstream = await rig.upstream(before)
  await asked(upstream, '/other')
  say(upstream, answer('fine'))
  expect(await over(call)).toMatchObject({ status: 200, text: 'fine' })
}

describe('http/2 attacks', () => {
  test.each(fatal)('%s: the connection ends, and others are served', async (_name, pieces) => {
    const rig = await startRig()
    const visitor = await rig.visit('')
    const codes = goaways(visitor.socket)
    for (const piece of pieces) visitor.socket.write(piece)
    await when(() => rig.accepted[0]?.destroyed === true)
    expect(codes.filter((code) => code !== 0)).not.toEqual([])
    // What came of them was little, and is over.
    expect(rig.upstreams.length).toBeLessThan(10)
    await when(() => rig.closedTotal === rig.upstreams.length)
    await servesOthers(rig)
  })

  test('a head that grows by its table’s entries (HPACK bomb) reaches no upstream', async () => {
    const rig = await startRig()
    const visitor = await rig.visit('')
    const codes = goaways(visitor.socket)
    visitor.socket.write(opening())
    // One entry of 4 KB, named again by one byte each.
    const entry = Buffer.concat([
      Buffer.of(0x40, 1, 0x61, 0x7f, 0xa1, 0x1e),
      Buffer.alloc(4_000, 0x62),
      repeated(Buffer.of(0xbe), 8_000),
    ])
    for (const id of ids(20)) visitor.socket.write(request(id, { more: entry }))
    await servesOthers(rig)
    expect(rig.upstreams).toHaveLength(1)
    expect(codes.filter((code) => code === 0)).toEqual([])
  })

  test('a visitor that takes no answers holds a window of each, and no more', async () => {
    const rig = await startRig()
    const visitor = await rig.visit('')
    // SETTINGS_INITIAL_WINDOW_SIZE = 0.
    visitor.socket.write(opening([[4, 0]]))
    visitor.socket.write(request(1))
    const upstream = await rig.upstream()
    await asked(upstream, '/')
    say(upstream, 'HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n')
    upstream.stream.write(Buffer.alloc(9_000_000))
    await servesOthers(rig)
    await rig.credited()
    expect(upstream.stream.bytesOut).toBeLessThanOrEqual(limits.windowBytesInitial + 1_000)
    for (let look = 0; look < 5; look++) rig.clock.advance(limits.httpIdleMs / 4)
    await upstream.heard.until(() => upstream.heard.resetCode !== undefined)
  })

  test('more requests than are allowed at a time are refused, and the rest goes on', async () => {
    const rig = await startRig()
    const visitor = await rig.visit('')
    visitor.socket.write(opening())
    visitor.socket.write(Buffer.concat(ids(120).map((id) => request(id))))
    await rig.upstream(5)
    rig.clock.advance(50)
    await rig.upstream(99)
    await servesOthers(rig)
    expect(rig.upstreams).toHaveLength(101)
  })
})
