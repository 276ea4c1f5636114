import { codes } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { answersCut, answersInstead } from '../../testing/hostile-answers.ts'
import { errorCode, fieldBlock, frameFlag, frameType, get, ok } from '../../testing/raw-http2.ts'
import { pageOf, useRigs } from '../../testing/rigs.ts'

const rigs = useRigs()
const { endStream, endHeaders } = frameFlag

describe('a hostile HTTP/2 upstream', () => {
  test.each(answersInstead)('%s instead of an answer becomes a page', async (_name, answer) => {
    const rig = await rigs.raw(answer)
    const visitor = rig.visit().send(get)
    const text = await visitor.over()
    expect(text).toMatch(pageOf('upstream.reset'))
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect(visitor.hasFin).toBe(true)
  })

  test.each(answersCut)('%s in an answer never looks like its end', async (_name, answer) => {
    const rig = await rigs.raw(answer)
    const visitor = rig.visit().send(get)
    await visitor.over()
    expect(visitor.resetCode).toBeDefined()
    expect(visitor.hasFin).toBe(false)
    expect(visitor.text).not.toMatch(/0\r\n\r\n$/)
  })

  test('an answer that is complete stays so when the upstream then resets the upload', async () => {
    const rig = await rigs.raw((peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.data, 0, id, 'all')
      peer.send(frameType.data, endStream, id)
      peer.send(frameType.reset, 0, id, errorCode(0))
    })
    const visitor = rig.visit().send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhalf')
    await visitor.heard('3\r\nall\r\n0\r\n\r\n')
    // The rest is read and dropped, and the next request follows.
    visitor.send(`other${get}`)
    await visitor.heard(/all[\s\S]*all\r\n0\r\n\r\n$/)
  })

  test.each([
    ['a', 'b\r\nc: d'],
    ['a\r\nb', 'c'],
    ['a', 'b\0'],
    ['a ', 'b'],
    ['a:b', 'c'],
    ['A', 'b'],
    ['', 'b'],
  ])('the field %j: %j never reaches a visitor, as a trailer neither', async (name, value) => {
    const rig = await rigs.raw((peer, id) => {
      peer.send(frameType.headers, endHeaders, id, fieldBlock([':status', '200'], [name, value], ['x', 'y']))
      peer.send(frameType.headers, endHeaders | endStream, id, fieldBlock([name, value], ['x', 'y']))
    })
    const visitor = rig.visit().send(get)
    await visitor.until(() => visitor.hasFin || visitor.text.endsWith('\r\n\r\n'))
    const fine = 'HTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n'
    if (visitor.text !== fine) expect(visitor.text).toMatch(pageOf('upstream.reset'))
  })

  test('interim answers without end are cut off', async () => {
    const rig = await rigs.raw((peer, id) => {
      for (let at = 0; at < 10_000; at++)
        peer.send(
          frameType.headers,
          endHeaders,
          id,
          fieldBlock([':status', '103'], ['link', 'x'.repeat(100)]),
        )
    })
    const visitor = rig.visit().send(get)
    const text = await visitor.over()
    expect(text).toContain(codes['upstream.reset'].code)
    expect(text.match(/HTTP\/1\.1 103/g)).toHaveLength(32)
  })
})
