import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { systemClock } from '@porttunneler/shared/base/clock'
import { Turn } from '@porttunneler/shared/mux/turn'
import { afterEach, describe, expect, test } from 'vitest'
import { makeSelfSigned } from '../../self-signed.ts'
import { VisitorReading } from './reading.ts'

const closers: (() => unknown)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/**
 * A server that reads the first bytes of each connection itself, then leaves the connection to an http server that
 * echoes.
 */
async function start(isTls: boolean): Promise<Socket> {
  const echo = createHttpServer((request, response) => void request.pipe(response))
  const origin = { address: '127.0.0.1', port: 1, localPort: 1 }
  const onSocket = (socket: Socket) => {
    const reading = new VisitorReading({ socket, origin }, { turn: new Turn(), clock: systemClock })
    const onBytes = (bytes: Buffer) => {
      reading.detach()
      socket.unshift(Buffer.from(bytes))
      echo.emit('connection', socket)
      socket.resume()
    }
    reading.start({ onBytes })
  }
  const identity = isTls ? await makeSelfSigned(['localhost'], systemClock.now()) : undefined
  const server = identity
    ? createTlsServer({ cert: identity.certificate, key: identity.key.reveal() }, onSocket)
    : createServer({ pauseOnConnect: true }, onSocket)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const to = { port: (server.address() as AddressInfo).port, host: '127.0.0.1' }
  const socket = isTls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to)
  await once(socket, isTls ? 'secureConnect' : 'connect')
  closers.push(
    () => socket.destroy(),
    () => server.close(),
    () => echo.closeAllConnections(),
  )
  return socket
}

describe('a visitor handed on in the middle of a request', () => {
  test.each([
    ['plain', false],
    ['by TLS', true],
  ])('%s, it is read to the end, and so is the next request', async (_, isTls) => {
    const socket = await start(isTls)
    for (const letter of ['a', 'b']) {
      const body = letter.repeat(300_000)
      let said = ''
      const whole = new Promise<void>((resolve) => {
        const hear = (bytes: Buffer) => {
          said += String(bytes)
          if (!said.endsWith('0\r\n\r\n')) return
          socket.off('data', hear)
          resolve()
        }
        socket.on('data', hear)
      })
      socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      await whole
      expect(said.startsWith('HTTP/1.1 200 ')).toBe(true)
      expect(said.split(letter).length - 1).toBeGreaterThanOrEqual(body.length)
    }
  })
})
