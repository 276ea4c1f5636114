import dns from 'node:dns'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import type { PortTunnelerError } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { dialUpstream, type LoopbackMemory } from './dial-upstream.ts'

type Outcome = Socket | PortTunnelerError

function dial(
  port: number,
  { host = 'localhost', clock = systemClock, memory = new Map() as LoopbackMemory } = {},
): { outcome: Promise<Outcome>; cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const cancel = dialUpstream({ host, port }, { clock, memory, onConnect: resolve, onFail: resolve })
  return { outcome: promise, cancel }
}

async function listen(host: string, use: (port: number) => Promise<void>): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => {}).end()).listen(0, host)
  await once(server, 'listening')
  try {
    await use((server.address() as AddressInfo).port)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

async function dialSocket(path: string): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  dialUpstream({ path }, { clock: new FakeClock(), memory: new Map(), onConnect: resolve, onFail: resolve })
  return promise
}

describe('dialling a unix socket', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-dial-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('reaches the program there; a broken end becomes a close, since there is no reset', async () => {
    const path = join(folder, 'app.sock')
    const server = createServer((socket) => socket.resume().on('error', () => {})).listen(path)
    const accepted = once(server, 'connection')
    await once(server, 'listening')
    const socket = (await dialSocket(path)) as Socket
    const [other] = (await accepted) as [Socket]
    const closed = once(other, 'close')
    socket.resetAndDestroy()
    await closed
    await new Promise((resolve) => server.close(resolve))
    // The file is left when a program is killed.
    writeFileSync(join(folder, 'left.sock'), '')
    expect(await dialSocket(join(folder, 'left.sock'))).toMatchObject({ key: 'upstream.refused' })
  })

  test('a missing socket at the path has its own code', async () => {
    const path = join(folder, 'none.sock')
    expect(await dialSocket(path)).toMatchObject({
      key: 'upstream.no_socket',
      detail: `unix:${path} answered ENOENT`,
    })
    expect(await dialSocket(join(folder, 'file', 'x.sock'))).toMatchObject({ key: 'upstream.no_socket' })
  })
})

describe('dialling an upstream', () => {
  test.each(['127.0.0.1', '::1'])(
    'localhost reaches a program that listens only on %s, and remembers it',
    async (host) => {
      await listen(host, async (port) => {
        const memory: LoopbackMemory = new Map()
        for (const _ of [1, 2]) {
          const socket = (await dial(port, { memory }).outcome) as Socket
          expect(socket.remoteAddress).toBe(host)
          expect(memory.get(port)).toBe(host)
          socket.destroy()
        }
      })
    },
  )

  test('an address literal is dialled as it is, without the other family', async () => {
    await listen('::1', async (port) => {
      expect(await dial(port, { host: '127.0.0.1' }).outcome).toMatchObject({ key: 'upstream.refused' })
    })
  })

  test('a port where nothing listens is refused, and says which', async () => {
    let free = 0
    await listen('127.0.0.1', async (port) => {
      free = port
    })
    expect(await dial(free).outcome).toMatchObject({
      key: 'upstream.refused',
      detail: expect.stringContaining(`localhost:${free} cannot be reached (ECONNREFUSED)`),
    })
  })

  test('an unknown host has its own code', async () => {
    const failure = (await dial(80, { host: 'no-such-host.invalid' }).outcome) as PortTunnelerError
    expect(failure.key).toBe('upstream.unknown')
  })

  test('a name is looked up for each dial: an upstream may come back at another address', async () => {
    await listen('127.0.0.1', async (port) => {
      const moved = createServer((socket) => socket.end()).listen(port, '127.0.0.2')
      await once(moved, 'listening')
      const addresses = ['127.0.0.1', '127.0.0.2']
      const lookup = vi.spyOn(dns, 'lookup').mockImplementation((...given: unknown[]) => {
        const done = given.at(-1) as (error: null, found: object[]) => void
        done(null, [{ address: addresses.shift(), family: 4 }])
      })
      for (const address of [...addresses]) {
        const socket = (await dial(port, { host: 'app.test' }).outcome) as Socket
        expect(socket.remoteAddress).toBe(address)
        socket.destroy()
      }
      lookup.mockRestore()
      await new Promise((resolve) => moved.close(resolve))
    })
  })

  test('no answer within 8 s is a failure, and leaves neither socket nor timer', async () => {
    const clock = new FakeClock()
    await listen('127.0.0.1', async (port) => {
      // The clock moves before the loop turns, so for the dialler the answer never came.
      const { outcome } = dial(port, { clock })
      clock.advance(8_000)
      expect(await outcome).toMatchObject({ key: 'upstream.timeout' })
      expect(clock.pending).toBe(0)
    })
  })

  test('giving up is silent and leaves no timer', async () => {
    const clock = new FakeClock()
    await listen('127.0.0.1', async (port) => {
      const { outcome, cancel } = dial(port, { clock })
      let isHeard = false
      void outcome.then(() => {
        isHeard = true
      })
      cancel()
      expect(clock.pending).toBe(0)
      // One that was dialled later is connected: by now the first would be too.
      const later = (await dial(port).outcome) as Socket
      expect(later.remotePort).toBe(port)
      expect(isHeard).toBe(false)
      later.destroy()
    })
  })
})
