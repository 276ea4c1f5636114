import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { anyVisitor, type MuxPair, muxPair } from '../testing/mux-pair.ts'
import { Splice } from './splice.ts'
import { Turn } from './turn.ts'

/** visitor socket -> relay splice -> in-memory wire -> agent splice -> upstream server */
let relayPort: number
let pair: MuxPair
let upstream: Server
let onUpstream: (socket: Socket) => void
const servers: Server[] = []
let ends: { relay: (string | undefined)[]; agent: (string | undefined)[] } = { relay: [], agent: [] }

async function listen(onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onSocket)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  servers.push(server)
  return server
}
const portOf = (server: Server) => (server.address() as AddressInfo).port

beforeEach(async () => {
  // Of this test alone: a socket of the one before may still be closing.
  const own: typeof ends = { relay: [], agent: [] }
  ends = own
  const turn = new Turn()
  upstream = await listen((socket) => onUpstream(socket))
  pair = muxPair({
    clock: systemClock,
    agent: {
      onOpen(stream) {
        const socket = connect({
          host: '127.0.0.1',
          port: portOf(upstream),
          allowHalfOpen: true,
          noDelay: true,
        })
        return new Splice(socket, stream, { turn, onEnd: (key) => own.agent.push(key) })
      },
    },
  })
  const relay = await listen((socket) => {
    const silent = { onData() {}, onFin() {}, onWritable() {}, onReset() {} }
    const stream = pair.relay.open(anyVisitor, silent)
    stream.sink = new Splice(socket, stream, { turn, onEnd: (key) => own.relay.push(key) })
  })
  relayPort = portOf(relay)
})

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function dial(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: relayPort, allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  return socket
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('splice', () => {
  test('half-close delivers the answer to a visitor that has finished speaking', async () => {
    onUpstream = async (socket) => {
      const question = await readAll(socket)
      socket.end(`heard ${question.length}`)
    }
    const visitor = await dial()
    visitor.end(randomBytes(300_000))
    expect((await readAll(visitor)).toString()).toBe('heard 300000')
  })

  test('many megabytes through a slow reader arrive whole', async () => {
    const bytes = randomBytes(20_000_000)
    onUpstream = (socket) => {
      socket.end(bytes)
    }
    const visitor = await dial()
    visitor.end()
    const chunks: Buffer[] = []
    for await (const chunk of visitor) {
      chunks.push(chunk)
      if (chunks.length % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  })

  test('a reset of the upstream reaches the visitor as a reset', async () => {
    onUpstream = (socket) => {
      socket.once('data', () => socket.resetAndDestroy())
    }
    const visitor = await dial()
    visitor.write('x')
    const [error] = await once(visitor, 'error')
    expect(error.code).toBe('ECONNRESET')
    expect(ends.relay).toEqual(['stream.aborted'])
  })

  test('a visitor that vanishes ends the upstream connection', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    onUpstream = (socket) => {
      socket.on('error', () => {})
      socket.once('close', () => resolve())
      socket.write('hello')
    }
    const visitor = await dial()
    await once(visitor, 'data')
    visitor.resetAndDestroy()
    await promise
    expect(ends.relay).toEqual(['stream.aborted'])
  })

  test('a stream whose last bytes waited in a full socket when the end came is forgotten at both sides', async () => {
    // More than sockets hold, so that some of it is in the splice when the end arrives.
    const bytes = 6_000_000
    onUpstream = async (socket) => {
      await ended.promise
      const question = await readAll(socket)
      socket.end(`heard ${question.length}`)
    }
    const ended = Promise.withResolvers<void>()
    const visitor = await dial()
    visitor.end(randomBytes(bytes))
    await vi.waitFor(() => expect(visitor.writableLength).toBeLessThan(bytes))
    ended.resolve()
    expect((await readAll(visitor)).toString()).toBe(`heard ${bytes}`)
    await vi.waitFor(() => expect([pair.relay.activeStreams, pair.agent.activeStreams]).toEqual([0, 0]))
    expect([pair.budgets.relay.usedBytes, pair.budgets.agent.usedBytes]).toEqual([0, 0])
    expect(ends).toEqual({ relay: [undefined], agent: [undefined] })
  })
})
