import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import { createServer, type Server } from 'node:net'
import { codes } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { useRigs } from '../../testing/rigs.ts'
import { webhookCheckOf } from '../../webhook-options.ts'
import { loginOf } from '../stages/logins.ts'

const rigs = useRigs()
const get = (fields = '', path = '/') => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
const withoutDate = (text: string) => text.replace(/date: .*\r\n/g, '')

describe('requests to an HTTP/2 upstream', () => {
  test('carry every field in its order, without those of the connection', async () => {
    const seen: (readonly string[])[] = []
    const rig = await rigs.serving((stream, fields) => {
      seen.push(fields)
      stream.respond({ ':status': 200, 'x-a': ['1', '2'] })
      stream.end('hello')
    })
    const fields = [
      'X-B: 1',
      'Connection: keep-alive, X-Hop, TE',
      'X-Hop: gone',
      'TE: gzip, trailers',
      'x-b: \xe9',
      'Cookie: a=b',
      'Content-Type: a/b',
      'Content-Type: c/d',
      'Keep-Alive: 5',
    ]
    const visitor = rig.visit().send(get(`${fields.join('\r\n')}\r\n`, '/a?b=c|d'))
    const text = await visitor.heard('0\r\n\r\n')
    expect(withoutDate(text)).toBe(
      'HTTP/1.1 200 OK\r\nx-a: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    )
    expect(seen).toEqual([
      [
        ...[':method', 'GET', ':scheme', 'http', ':authority', 'a.test', ':path', '/a?b=c|d'],
        ...['x-b', '1', 'x-b', '\xe9', 'cookie', 'a=b', 'content-type', 'a/b', 'content-type', 'c/d'],
        ...['te', 'trailers'],
      ],
    ])
  })

  test('are signed webhooks alone if the tunnel says so, with bodies of both framings', async () => {
    const came: string[] = []
    const webhooks = webhookCheckOf({ verify: 'github' }, 'secret')
    const rig = await rigs.serving(
      (stream) => {
        let body = ''
        stream.setEncoding('utf8').on('data', (part) => {
          body += part
        })
        stream.on('end', () => {
          came.push(body)
          stream.respond({ ':status': 200, 'content-length': 2 })
          stream.end('ok')
        })
      },
      { requests: { logins: [], webhooks } },
    )
    const signature = createHmac('sha256', 'secret').update('hello').digest('hex')
    const head = `POST / HTTP/1.1\r\nHost: a.test\r\nX-Hub-Signature-256: sha256=${signature}\r\n`
    const visitor = rig.visit()
    await visitor.send(`${head}Content-Length: 5\r\n\r\nhello`).heard('ok')
    visitor.send(`${head}Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`)
    visitor.send(`${head}Content-Length: 5\r\n\r\nworld`)
    expect(await visitor.over()).toMatch(/ok.*ok.*HTTP\/1\.1 401 .*PT-6101/s)
    expect(came).toEqual(['hello', 'hello'])
  })

  test('share one connection, and are answered in turn on each visitor’s', async () => {
    const sessions = new Set<unknown>()
    const rig = await rigs.serving((stream, fields) => {
      sessions.add(stream.session)
      stream.respond({ ':status': 200, 'content-length': 2 })
      stream.end(fields[7]?.slice(1))
    })
    const visitors = [1, 2, 3].map(() => rig.visit().send(get('', '/1a') + get('', '/2a') + get('', '/3a')))
    for (const visitor of visitors)
      expect((await visitor.heard('3a')).match(/\r\n\r\n\da/g)).toEqual(
        ['1a', '2a', '3a'].map((one) => `\r\n\r\n${one}`),
      )
    expect(sessions.size).toBe(1)
  })

  test('keep their bodies and trailers, whether of a length or in chunks', async () => {
    const bodies: string[] = []
    const trailers: unknown[] = []
    const rig = await rigs.serving((stream) => {
      let body = ''
      stream.on('trailers', (_fields, _flags, raw) => trailers.push(raw))
      stream.on('data', (chunk) => {
        body += chunk
      })
      stream.on('end', () => {
        bodies.push(body)
        stream.respond({ ':status': 204 }, { endStream: true })
      })
    })
    const visitor = rig.visit()
    visitor.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhe')
    visitor.send('llo')
    await visitor.heard('\r\n\r\n')
    const chunked = '3;x="\r"\r\nabc\r\n'.replace('\r"', 'y"')
    for (const byte of `POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}a\r\n0123456789\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n`)
      visitor.send(byte)
    const text = await visitor.heard(/(?:HTTP[\s\S]*){2}\r\n\r\n$/)
    expect(withoutDate(text)).toBe('HTTP/1.1 204 No Content\r\n\r\n'.repeat(2))
    expect(bodies).toEqual(['hello', 'abc0123456789'])
    expect(trailers).toEqual([['x-sum', '1', 'x-sum', '2']])
  })

  test('reach the upstream and get answers while they are still being sent', async () => {
    const rig = await rigs.serving((stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.on('data', (chunk) => stream.write(`${chunk}!`))
      stream.on('end', () => stream.end())
    })
    const visitor = rig.visit().send('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (const word of ['one', 'two']) {
      visitor.send(`3\r\n${word}\r\n`)
      await visitor.heard(`4\r\n${word}!\r\n`)
    }
    visitor.send('0\r\n\r\n')
    await visitor.heard('0\r\ngrpc-status: 0\r\n\r\n')
  })

  test('ask for a password and get the Host that the user gave, as with any upstream', async () => {
    const seen: (readonly string[])[] = []
    const rig = await rigs.serving(
      (stream, fields) => {
        seen.push(fields)
        stream.respond({ ':status': 200, 'content-length': 0 }, { endStream: true })
      },
      { requests: { logins: [loginOf('alice:x')], host: 'app.test' } },
    )
    const password = `Authorization: Basic ${Buffer.from('alice:x').toString('base64')}\r\n`
    const visitor = rig.visit().send(get(password) + get())
    expect(await visitor.over()).toMatch(/^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 401 /)
    expect(seen).toEqual([[':method', 'GET', ':scheme', 'http', ':authority', 'app.test', ':path', '/']])
  })
})

describe('answers of an HTTP/2 upstream', () => {
  test.each([
    ['HEAD', 200, 'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n'],
    ['GET', 304, 'HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n'],
    ['GET', 204, 'HTTP/1.1 204 No Content\r\n\r\n'],
  ])('to %s with %i have no body', async (method, status, wanted) => {
    const rig = await rigs.serving((stream) =>
      stream.respond(
        { ':status': status, ...(status !== 204 && { 'content-length': 7 }) },
        { endStream: true },
      ),
    )
    const visitor = rig.visit().send(get().replace('GET', method))
    expect(withoutDate(await visitor.heard('\r\n\r\n'))).toBe(wanted)
    visitor.send(get().replace('GET', method))
    await visitor.heard(/HTTP[\s\S]*HTTP[\s\S]*\r\n\r\n$/)
  })

  test('with nothing but a head have no body either, as gRPC errors', async () => {
    const rig = await rigs.serving((stream) =>
      stream.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: true }),
    )
    const text = await rig.visit().send(get('TE: trailers\r\n')).heard('\r\n\r\n')
    expect(withoutDate(text)).toBe('HTTP/1.1 200 OK\r\ngrpc-status: 5\r\ncontent-length: 0\r\n\r\n')
  })

  test('pass on interim heads, but not to HTTP/1.0, which gets the end of the connection', async () => {
    const rig = await rigs.serving((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a.css>' })
      stream.respond({ ':status': 200 })
      stream.end('body')
    })
    const text = await rig.visit().send(get()).heard('0\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    const old = rig.visit().send(get().replace('1.1', '1.0'))
    expect(withoutDate(await old.over())).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbody')
    expect(old.hasFin).toBe(true)
    const kept = rig.visit().send(get('Connection: keep-alive\r\n').replace('1.1', '1.0').repeat(2))
    expect(await kept.over(), 'its end is unknown, so nothing follows').toBe(old.text)
  })

  test('leave a connection of HTTP/1.0 open when the visitor wants that and can tell where they end', async () => {
    const rig = await rigs.serving((stream) => {
      stream.respond({ ':status': 200, 'content-length': 2 })
      stream.end('ok')
    })
    const text = await rig
      .visit()
      .send(get('Connection: keep-alive\r\n').replace('1.1', '1.0') + get('', '/last'))
      .heard(/ok[\s\S]*ok$/)
    expect(text.match(/connection: keep-alive\r\n/g)).toHaveLength(1)
  })

  test('end the connection when the visitor wanted that', async () => {
    const rig = await rigs.serving((stream) => {
      stream.respond({ ':status': 200 }, { endStream: true })
    })
    const visitor = rig.visit().send(get('Connection: close\r\n'))
    expect(await visitor.over()).toContain('connection: close\r\n')
    expect(visitor.hasFin).toBe(true)
  })

  test('wait for a visitor that does not read', async () => {
    const bytes = 4 * 1024 * 1024
    const taken: (() => number)[] = []
    const rig = await rigs.serving((stream) => {
      let sent = 0
      taken.push(() => sent - stream.writableLength)
      stream.respond({ ':status': 200, 'content-length': bytes })
      const more = (): void => {
        while (sent < bytes) {
          sent += 65_536
          if (!stream.write(Buffer.alloc(65_536))) {
            stream.once('drain', more)
            return
          }
        }
        stream.end()
      }
      more()
    })
    const visitor = rig.visit()
    visitor.isHungry = false
    visitor.send(get())
    await visitor.until(() => visitor.received > 0)
    // When all of another answer is here, the first one would be too.
    const other = rig.visit().send(get())
    await other.until(() => other.received > bytes)
    expect(visitor.received).toBeLessThan(bytes / 16)
    expect(taken[0]?.()).toBeLessThan(bytes / 16)
  })
})

describe('ends with an HTTP/2 upstream', () => {
  test('a visitor that goes cancels its request, and half an upload never looks whole', async () => {
    const upload = Promise.withResolvers<ServerHttp2Stream>()
    const rig = await rigs.serving((stream) => {
      stream.respond({ ':status': 200 })
      stream.once('data', () => upload.resolve(stream))
    })
    const visitor = rig.visit().send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhalf')
    const stream = await upload.promise
    let hasEnded = false
    stream.on('end', () => {
      hasEnded = !stream.aborted
    })
    visitor.stream?.reset('stream.aborted')
    await once(stream, 'close')
    expect(stream.rstCode).toBe(8)
    expect(stream.aborted).toBe(true)
    expect(hasEnded).toBe(false)
  })

  test('visitors who cancel a lot do not make the upstream end the requests of others', async () => {
    const rig = await rigs.serving(
      (stream, fields) => {
        if (fields.includes('/long')) {
          stream.respond({ ':status': 200 })
          stream.write('first')
          stream.once('data', () => stream.end('last'))
        }
      },
      { server: { streamResetBurst: 210, streamResetRate: 1 } },
    )
    const patient = rig.visit().send(`POST /long HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\n`)
    await patient.heard('first\r\n')
    for (let at = 0; at < 500; at++) {
      const asked = once(rig.server, 'stream')
      const impatient = rig.visit().send(get())
      const [stream] = (await asked) as [ServerHttp2Stream]
      const cancelled = once(stream, 'close')
      impatient.stream?.reset('stream.aborted')
      await cancelled
    }
    patient.send('x')
    await patient.heard('last\r\n0\r\n\r\n')
  })

  test('an answer that is cut short ends by a reset', async () => {
    const rig = await rigs.serving((stream) => {
      stream.respond({ ':status': 200 })
      stream.write('part', () => stream.session?.destroy())
    })
    const visitor = rig.visit().send(get())
    await visitor.over()
    expect(visitor.resetCode).toBeDefined()
    expect(visitor.hasFin).toBe(false)
  })

  test('a request that the upstream breaks off gets a page, on a later request too', async () => {
    const rig = await rigs.serving((stream, fields) => {
      if (fields.includes('/fine')) stream.respond({ ':status': 204 }, { endStream: true })
      else stream.destroy(new Error('broken'))
    })
    const visitor = rig.visit().send(get('', '/fine') + get('', '/bad'))
    const text = await visitor.over()
    expect(text).toMatch(/^HTTP\/1\.1 204 [\s\S]*HTTP\/1\.1 502 /)
    expect(text).toContain(codes['upstream.reset'].code)
    expect(visitor.hasFin).toBe(true)
    expect(rig.events).toContainEqual(
      expect.objectContaining({
        event: 'upstream.failed',
        problem: expect.objectContaining({ detail: expect.stringContaining('INTERNAL_ERROR') }),
      }),
    )
  })

  test('a server of HTTP/1.1 is found out', async () => {
    const server: Server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const rig = rigs.to(port, () => server.close())
    const visitor = rig.visit().send(get())
    await visitor.over()
    expect(`PT-${visitor.resetCode}`).toBe(codes['upstream.no_http_two'].code)
  })

  test('a server of HTTP/2 only is found out where it is asked in HTTP/1.1, and told once', async () => {
    const rig = await rigs.serving(() => {}, { upstreamProtocol: undefined })
    for (const _ of [1, 2]) {
      const visitor = rig.visit().send(get())
      await visitor.over()
      expect(`PT-${visitor.resetCode}`).toBe(codes['upstream.only_http_two'].code)
      expect(visitor.received).toBe(0)
    }
    expect(rig.events.filter(({ event }) => event.startsWith('upstream.'))).toHaveLength(1)
  })

  test('requests that fail again and again are reported once a minute', async () => {
    const rig = await rigs.serving((stream, fields) => {
      if (fields.includes('/fine')) stream.respond({ ':status': 204 }, { endStream: true })
      else stream.destroy(new Error('broken'))
    })
    for (const _ of [1, 2, 3]) {
      await rig.visit().send(get()).over()
      await rig.visit().send(get('', '/fine')).heard('\r\n\r\n')
    }
    const told = rig.events.map(({ event }) => event).filter((event) => event.startsWith('upstream.'))
    expect(told).toEqual(['upstream.failed', 'upstream.recovered'])
  })
})
