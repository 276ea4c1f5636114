import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { isNobodyListening } from '@porttunneler/shared/mux/connect-tls'
import { type ConnectProxy, startConnectProxy } from '@porttunneler/shared/testing/connect-proxy'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connectThrough } from './connect.ts'
import { parseProxy } from './settings.ts'

const user = { name: 'ann', password: 'p@ss' }
let proxy: ConnectProxy
let echo: Server
let echoPort: number
const dropped = new Set<Socket>()

async function listen(onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    dropped.add(socket.on('error', () => {}))
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

beforeEach(async () => {
  proxy = await startConnectProxy({ names: { 'relay.test': '127.0.0.1' }, user })
  echo = await listen((socket) => socket.pipe(socket))
  echoPort = portOf(echo)
})
afterEach(async () => {
  for (const socket of dropped) socket.destroy()
  dropped.clear()
  await proxy.close()
  await new Promise((resolve) => echo.close(resolve))
})

function dial(
  address: string,
  { host = 'relay.test', clock = systemClock, abort = new AbortController() } = {},
) {
  const through = parseProxy(address, 'HTTPS_PROXY')
  return connectThrough(through, { host, port: echoPort }, { clock, signal: abort.signal })
}

async function failureOf(dialled: Promise<Socket>): Promise<PortTunnelerError> {
  const error = await dialled.then(
    (socket) => socket.destroy(),
    (reason: unknown) => reason,
  )
  if (!isFailure(error)) throw new Error(`no failure: ${error}`)
  return error
}

describe('connecting through an HTTP proxy', () => {
  test('the proxy resolves the name, knows the user, and bytes pass both ways', async () => {
    const socket = await dial(`http://ann:p%40ss@127.0.0.1:${proxy.port}`)
    socket.write('hello')
    expect(String((await once(socket, 'data'))[0])).toBe('hello')
    expect(proxy.requests).toEqual([`CONNECT relay.test:${echoPort} 200`])
    socket.destroy()
  })

  test.each<[what: string, user: string, status: number | undefined, key: string, said: RegExp]>([
    ['no user', '', undefined, 'proxy.sign_in', /wants a user and a password/],
    ['a wrong password', 'ann:topsecret@', undefined, 'proxy.sign_in', /refuses the user or the password/],
    ['a rule of the proxy', 'ann:p%40ss@', 403, 'proxy.refused', /answered 403 to CONNECT relay\.test:/],
    ['no way on from the proxy', 'ann:p%40ss@', 502, 'proxy.target', /answered 502/],
    ['a proxy that is late', 'ann:p%40ss@', 504, 'proxy.target', /answered 504/],
  ])('%s: its own code, what was said, and no password', async (_what, who, status, key, said) => {
    proxy.status = status
    const failure = await failureOf(dial(`http://${who}127.0.0.1:${proxy.port}`))
    expect([failure.key, failure.fields.isRefusal]).toEqual([key, true])
    expect(failure.detail).toMatch(said)
    expect(failure.detail).toContain(`http://127.0.0.1:${proxy.port} (HTTPS_PROXY)`)
    expect(failure.detail).not.toMatch(/topsecret|p@ss|p%40ss/)
  })

  test('a missing proxy is reported as the proxy, not the server, and dialled at the pace of a restart', async () => {
    const { port } = proxy
    await proxy.close()
    const failure = await failureOf(dial(`http://127.0.0.1:${port}`))
    expect(failure.key).toBe('proxy.unreachable')
    expect(isNobodyListening(failure)).toBe(true)
    proxy = await startConnectProxy({ names: {} })
  })

  test('it gives up on a silent proxy', async () => {
    const silent = await listen(() => {})
    const clock = new FakeClock()
    const dialled = failureOf(dial(`http://127.0.0.1:${portOf(silent)}`, { clock }))
    await once(silent, 'connection')
    clock.advance(10_000)
    expect((await dialled).detail).toMatch(/did not answer within 10 s/)
    expect(clock.pending).toBe(0)
    for (const socket of dropped) socket.destroy()
    await new Promise((resolve) => silent.close(resolve))
  })

  test('something that is not a proxy is reported as such', async () => {
    const other = await listen((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'))
    const failure = await failureOf(dial(`http://127.0.0.1:${portOf(other)}`))
    expect(failure.key).toBe('proxy.unreachable')
    for (const socket of dropped) socket.destroy()
    await new Promise((resolve) => other.close(resolve))
  })

  test('a signal ends it, and no socket stays', async () => {
    const silent = await listen(() => {})
    const abort = new AbortController()
    const dialled = dial(`http://127.0.0.1:${portOf(silent)}`, { abort })
    const [socket] = (await once(silent, 'connection')) as [Socket]
    abort.abort()
    await expect(dialled).rejects.toMatchObject({ name: 'AbortError' })
    await once(socket.resume(), 'close')
    await new Promise((resolve) => silent.close(resolve))
  })
})

describe('connecting through a SOCKS proxy', () => {
  test('something that is not a proxy, or is missing, is reported as the proxy', async () => {
    const failure = await failureOf(dial(`socks5h://127.0.0.1:${proxy.port}`))
    expect(failure.key).toBe('proxy.unreachable')
    expect(failure.detail).toMatch(/does not speak SOCKS5/)
    const { port } = proxy
    await proxy.close()
    const gone = await failureOf(dial(`socks5h://127.0.0.1:${port}`))
    expect(gone.key).toBe('proxy.unreachable')
    expect(isNobodyListening(gone)).toBe(true)
    proxy = await startConnectProxy({ names: {} })
  })

  test.each<[reply: number, key: string, isNear: boolean]>([
    [2, 'proxy.refused', false],
    [4, 'proxy.target', false],
    [5, 'proxy.target', true],
  ])('reply %i is %s', async (reply, key, isNear) => {
    const server = await listen((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.from([5, 0]))
        socket.once('data', () => socket.end(Buffer.from([5, reply, 0, 1, 0, 0, 0, 0, 0, 0])))
      })
    })
    const failure = await failureOf(dial(`socks5h://127.0.0.1:${portOf(server)}`))
    expect([failure.key, isNobodyListening(failure)]).toEqual([key, isNear])
    await new Promise((resolve) => server.close(resolve))
  })

  test('a refused user', async () => {
    const server = await listen((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.from([5, 2]))
        socket.once('data', () => socket.end(Buffer.from([1, 1])))
      })
    })
    const failure = await failureOf(dial(`socks5h://ann:topsecret@127.0.0.1:${portOf(server)}`))
    expect(failure.key).toBe('proxy.sign_in')
    expect(failure.detail).not.toContain('topsecret')
    await new Promise((resolve) => server.close(resolve))
  })
})
