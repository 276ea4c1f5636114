import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { LiveFigures } from './live.ts'
import { OwnHost } from './own-host.ts'
import { readAll } from './testing/test-relay.ts'

test('of many requests on one connection the first is answered, and no other is looked at', async () => {
  const asked: (string | undefined)[] = []
  const live: Pick<LiveFigures, 'serve'> = {
    async serve({ url }, response) {
      asked.push(url)
      response.shouldKeepAlive = false
      // Later: whatever else came with it has been read by then.
      setImmediate(() => response.end('only one'))
    },
  }
  const own = new OwnHost(live as LiveFigures)
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket: Socket) => {
    const requests = Array.from({ length: 1_000 }, (_, n) => `GET /${n} HTTP/1.1\r\nHost: relay.test\r\n\r\n`)
    own.serve(socket, Buffer.from(requests.join('')))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP port was asked for')
  const visitor = connect(address.port, '127.0.0.1')
  visitor.write('GET /behind HTTP/1.1\r\nHost: relay.test\r\n\r\n')
  expect(await readAll(visitor)).toMatch(/only one$/)
  expect(asked).toEqual(['/0'])
  server.close()
})
