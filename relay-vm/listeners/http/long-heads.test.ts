/** Heads of answers around the length up to which the relay looks for their end: it passes on longer ones unread. */
import { answerHeadBytesMax } from '@porttunneler/shared/http/answer-head'
import { describe, expect, test } from 'vitest'
import { answer, get, hears, say, seen, useRigs } from '../../testing/http-rig.ts'

const startRig = useRigs()

describe('http visitor: long heads of answers', () => {
  test.each([answerHeadBytesMax - 1, answerHeadBytesMax, answerHeadBytesMax + 1, 1024 * 1024])(
    'one of %d bytes arrives as it came, and the connection is used again',
    async (bytes) => {
      const [before, after] = ['HTTP/1.1 200 OK\r\nX: ', '\r\nContent-Length: 2\r\n\r\n']
      const head = `${before}${'x'.repeat(bytes - before.length - after.length)}${after}`
      const rig = await startRig()
      const visitor = await rig.visit(get('/1'))
      const upstream = await rig.upstream()
      await hears(upstream, seen('/1'))
      say(upstream, `${head}ok`)
      await visitor.until((text) => text.length >= bytes + 2)
      expect(visitor.text === `${head}ok`).toBe(true)
      visitor.socket.write(get('/2'))
      await hears(upstream, seen('/1') + seen('/2'))
      say(upstream, answer('two'))
      await visitor.until((text) => text.endsWith('two'))
      expect(visitor.text === `${head}ok${answer('two')}`).toBe(true)
    },
  )
})
