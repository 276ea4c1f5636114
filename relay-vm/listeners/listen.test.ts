import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { afterEach, expect, test } from 'vitest'
import { closeServer, closeWhenEmpty } from './listen.ts'

const host = '127.0.0.1'
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) closeServer(server)
})

async function start(server: Server, port = 0): Promise<number> {
  servers.push(server)
  await once(server.listen({ port, host, reusePort: true, exclusive: true, backlog: 4_096 }), 'listening')
  return (server.address() as AddressInfo).port
}

const greeter = () => createServer((socket) => socket.on('error', () => undefined).end('word'))

/** What a visitor gets, or the code of the error. */
function visit(port: number): Promise<string> {
  const socket = connect({ port, host })
  return new Promise((resolve) => {
    socket.once('data', (word) => resolve(String(word)))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
  })
}

test('a listener that closes beside another one resets no visitor that comes in a busy turn', async () => {
  const port = await start(greeter())
  const echoPort = await start(createServer((socket) => socket.on('error', () => undefined).pipe(socket)))
  const ticker = connect({ port: echoPort, host, noDelay: true }).on('error', () => undefined)
  await once(ticker, 'connect')
  const heard: Promise<string>[] = []
  const work = (left: number) => {
    heard.push(visit(port))
    // Node dials on the next tick; then this turn goes on for a while.
    process.nextTick(() => {
      const untilMs = systemClock.monotonic() + 5
      while (systemClock.monotonic() < untilMs);
      if (left > 0) tick(left - 1)
    })
  }
  const tick = (left: number) => {
    ticker.once('data', () => work(left))
    ticker.write('.')
  }
  for (let round = 0; round < 10; round++) {
    const server = greeter()
    await start(server, port)
    tick(8)
    await closeWhenEmpty(server)
  }
  expect((await Promise.all(heard)).filter((word) => word !== 'word')).toEqual([])
  ticker.destroy()
})
