import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { LiveFigures } from './live.ts'
import { OwnHost } from './own-host.ts'
import { readAll } from './testing/test-relay.ts'

/** What a visitor gets that sends these requests at once, and which of them were read. */
async function visit(targets: readonly string[]) {
  const asked: (string | undefined)[] = []
  const live: Pick<LiveFigures, 'serve'> = {
    async serve({ url }, response) {
      asked.push(url)
      response.shouldKeepAlive = false
      // Later, when everything that came with it has been read.
      setImmediate(() => response.end('only one'))
    },
  }
  const own = new OwnHost(live as LiveFigures, () => 'thumb')
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket: Socket) => {
    const requests = targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: relay.test\r\n\r\n`)
    own.serve(socket, Buffer.from(requests.join('')))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP port was asked for')
  const visitor = connect(address.port, '127.0.0.1')
  visitor.write('GET /behind HTTP/1.1\r\nHost: relay.test\r\n\r\n')
  const text = await readAll(visitor)
  server.close()
  return { text, asked }
}

test('an answer that nobody reads holds its connection no longer than an idle one', async () => {
  const live: Pick<LiveFigures, 'serve'> = {
    async serve(_request, response) {
      response.end(Buffer.alloc(64 * 1024 * 1024))
    },
  }
  const own = new OwnHost(live as LiveFigures, () => undefined, 50)
  const closed = Promise.withResolvers<void>()
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket: Socket) => {
    socket.once('close', () => closed.resolve())
    own.serve(socket, Buffer.from('GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP port was asked for')
  const deaf = connect(address.port, '127.0.0.1').pause()
  await closed.promise
  deaf.destroy()
  server.close()
})

test('of many requests on one connection the first is answered, and no other is read', async () => {
  const { text, asked } = await visit(Array.from({ length: 1_000 }, (_, n) => `/${n}`))
  expect(text).toMatch(/only one$/)
  expect(asked).toEqual(['/0'])
})

test.each(['//', 'http://[', '*', '/%', 'http://:0/'])(
  'a target that is no URL ends nothing: %s',
  async (target) => {
    expect((await visit([target])).asked).toEqual([target])
  },
)

test('a challenge is answered, in either form of the target', async () => {
  const path = '/.well-known/acme-challenge/token'
  for (const target of [path, `${path}?x`, `http://relay.test${path}`])
    expect((await visit([target])).text).toContain('token.thumb')
})
