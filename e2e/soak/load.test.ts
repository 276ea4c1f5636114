import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { listening, listenTcp, portOf } from '../harness/sockets.ts'
import { Ledger } from './ledger.ts'
import { Load } from './load.ts'

test('load: requests that are under way when it is stopped are not asked again', async () => {
  const heard = new Map<unknown, number>()
  const web = createServer((request, response) => {
    const count = (heard.get(request.socket) ?? 0) + 1
    heard.set(request.socket, count)
    // Each further request of a kept connection waits for ever.
    if (count === 1) response.end(Buffer.alloc(4_096, 'soak '))
  })
  web.keepAliveTimeout = 0
  await listening(web)
  const closed = await listenTcp((socket) => socket.destroy())
  const nobody = { host: '127.0.0.1', port: closed.port }
  await closed.close()
  const doors = {
    echo: nobody,
    source: nobody,
    sink: nobody,
    web: { host: '127.0.0.1', port: portOf(web), name: 'web.test' },
  }
  const ledger = new Ledger()
  const load = new Load('a', { doors, ledger, random: () => 0 })
  await expect
    .poll(() => [...heard.values()].filter((count) => count === 2).length, { timeout: 10_000 })
    .toBe(8)
  await load.stop()
  const open = () => new Promise((resolve) => web.getConnections((_error, count) => resolve(count)))
  await expect.poll(open, { timeout: 5_000 }).toBe(0)
  expect(heard.size, 'connections in all').toBe(8)
  web.close()
})
