import type { ServerHttp2Stream, ServerOptions } from 'node:http2'
import { codes } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { fieldBlock, frameType, get, settingsFrame, until } from '../../testing/raw-http2.ts'
import { useRigs } from '../../testing/rigs.ts'
import { loginOf } from '../stages/logins.ts'

const rigs = useRigs()
const password = `Authorization: Basic ${Buffer.from('alice:x').toString('base64')}\r\n`
/** The example of RFC 6455 section 1.3. */
const open = (fields = '') =>
  `GET /chat HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${fields}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n`
const offers: { server: ServerOptions } = { server: { settings: { enableConnectProtocol: true } } }

const echo = (stream: ServerHttp2Stream) => {
  stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' })
  stream.pipe(stream)
}

describe('WebSockets over an HTTP/2 upstream', () => {
  test.each([
    ['without a gate', {}],
    ['with a password in front', { requests: { logins: [loginOf('alice:x')] } }],
  ])('open where it offers them, %s', async (_name, wanted) => {
    const seen: (readonly string[])[] = []
    const rig = await rigs.serving(
      (stream, fields) => {
        seen.push(fields)
        echo(stream)
      },
      { ...offers, ...wanted },
    )
    const visitor = rig.visit({ awaitsUpgrade: true }).send(open(password))
    await visitor.until(() => visitor.answer !== undefined)
    expect(visitor.answer).toBe('upgraded')
    const head = await visitor.heard('\r\n\r\n')
    expect(head.split('\r\n')).toEqual(
      expect.arrayContaining([
        'HTTP/1.1 101 Switching Protocols',
        'upgrade: websocket',
        'connection: Upgrade',
        'sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        'sec-websocket-protocol: chat',
      ]),
    )
    const [fields = []] = seen
    expect(fields.slice(0, 10)).toEqual([
      ...[':method', 'CONNECT', ':protocol', 'websocket', ':scheme', 'http'],
      ...[':authority', 'a.test', ':path', '/chat'],
    ])
    expect(fields).not.toContain('sec-websocket-key')
    expect(fields).not.toContain('upgrade')
    // Bytes that a parser of requests would refuse.
    visitor.send('\x81\x85\0\r\n')
    await visitor.heard('\x81\x85\0\r\n')
    visitor.stream?.end()
    await visitor.over()
    expect(visitor.hasFin).toBe(true)
  })

  test('end for the visitor when the upstream ends them', async () => {
    const rig = await rigs.serving((stream) => {
      stream.respond({ ':status': 200 })
      stream.once('data', () => stream.end('bye'))
    }, offers)
    const visitor = rig.visit({ awaitsUpgrade: true }).send(open())
    await visitor.heard('\r\n\r\n')
    visitor.send('x')
    expect(await visitor.over()).toMatch(/bye$/)
    expect(visitor.hasFin).toBe(true)
  })

  test('are reset when the upstream breaks them off', async () => {
    const rig = await rigs.serving((stream) => {
      stream.respond({ ':status': 200 })
      stream.once('data', () => stream.session?.destroy())
    }, offers)
    const visitor = rig.visit({ awaitsUpgrade: true }).send(open())
    await visitor.heard('\r\n\r\n')
    visitor.send('x')
    await visitor.over()
    expect(visitor.resetCode).toBeDefined()
  })

  test('that it refuses are refused in its own words, and the visitor may go on', async () => {
    const rig = await rigs.serving((stream, fields) => {
      if (fields.includes('CONNECT')) {
        stream.respond({ ':status': 403, 'content-length': 2 })
        stream.end('no')
      } else stream.respond({ ':status': 204 }, { endStream: true })
    }, offers)
    const visitor = rig.visit({ awaitsUpgrade: true }).send(open())
    expect(await visitor.heard('no')).toMatch(/^HTTP\/1\.1 403 /)
    expect(visitor.answer).toBe('plain')
    visitor.send(get)
    await visitor.heard(/HTTP\/1\.1 204 [\s\S]*\r\n\r\n$/)
  })

  test('that it refuses leave nothing open', async () => {
    const ends: number[] = []
    const rig = await rigs.raw(
      (peer, id) => peer.send(frameType.headers, 5, id, fieldBlock([':status', '404'])),
      {
        greeting: settingsFrame([8, 1]),
        onFrame: ({ type, flags, stream }) =>
          void (type === frameType.data && flags === 1 && ends.push(stream)),
      },
    )
    await rig.visit({ awaitsUpgrade: true }).send(open()).heard('content-length: 0\r\n\r\n')
    await until(() => ends.includes(1))
  })

  test('get a page with a code where it offers none', async () => {
    const rig = await rigs.serving(echo)
    const visitor = rig.visit({ awaitsUpgrade: true }).send(open())
    expect(await visitor.over()).toMatch(
      new RegExp(`^HTTP/1\\.1 501 [\\s\\S]*${codes['upstream.no_websocket'].code}`),
    )
    expect(visitor.answer).toBe('plain')
  })

  test('an Upgrade to something else is left out, as HTTP allows', async () => {
    const rig = await rigs.serving(
      (stream) => stream.respond({ ':status': 204 }, { endStream: true }),
      offers,
    )
    const visitor = rig.visit({ awaitsUpgrade: true }).send(open().replace('websocket', 'telnet'))
    await visitor.heard(/^HTTP\/1\.1 204 [\s\S]*\r\n\r\n$/)
    expect(visitor.answer).toBe('plain')
  })
})
