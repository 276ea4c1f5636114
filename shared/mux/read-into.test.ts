import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { readInto, readsInPlace } from './read-into.ts'

let server: Server | undefined
afterEach(() => {
  server?.close()
})

/** A connection to a server of its own; the accepted end reads nothing yet. */
async function pair(): Promise<{ accepted: Socket; dialled: Socket }> {
  server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dialled = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' })
  const [accepted] = await once(server, 'connection')
  return { accepted, dialled }
}

describe('reads into one buffer', () => {
  test('this Node allows it: otherwise bulk would cost half as much again', () => {
    expect(readsInPlace).toBe(true)
  })

  test('an accepted socket brings every byte in order, then its end, and no read has memory of its own', async () => {
    const { accepted, dialled } = await pair()
    const bytes = randomBytes(3_000_000)
    const heard: Buffer[] = []
    const memories = new Set<ArrayBufferLike>()
    readInto(accepted, 'raw', (chunk) => {
      memories.add(chunk.buffer)
      heard.push(Buffer.from(chunk))
    })
    accepted.resume()
    dialled.end(bytes)
    await once(accepted, 'end')
    expect(Buffer.concat(heard).equals(bytes)).toBe(true)
    expect(memories.size).toBe(1)
    accepted.destroy()
  })

  test('pause stops it, resume goes on, and nothing is lost in between', async () => {
    const { accepted, dialled } = await pair()
    const bytes = randomBytes(2_000_000)
    const heard: Buffer[] = []
    readInto(accepted, 'raw', (chunk) => {
      heard.push(Buffer.from(chunk))
      accepted.pause()
      setImmediate(() => accepted.resume())
    })
    accepted.resume()
    dialled.end(bytes)
    await once(accepted, 'end')
    expect(Buffer.concat(heard).equals(bytes)).toBe(true)
    accepted.destroy()
  })

  test('bytes that were read before come first', async () => {
    const { accepted, dialled } = await pair()
    accepted.unshift(Buffer.from('first, '))
    dialled.end('second')
    let heard = ''
    readInto(accepted, 'raw', (chunk) => {
      heard += String(chunk)
    })
    accepted.resume()
    await once(accepted, 'end')
    expect(heard).toBe('first, second')
    accepted.destroy()
  })

  test('released, the socket is like any other: the next listener gets the rest, in memory of its own', async () => {
    const { accepted, dialled } = await pair()
    const bytes = randomBytes(3_000_000)
    const heard: Buffer[] = []
    const letGo = readInto(accepted, 'raw', (chunk) => {
      heard.push(Buffer.from(chunk))
      accepted.pause()
      letGo()
      setImmediate(() => {
        accepted.on('data', (data: Buffer) => heard.push(data))
        accepted.resume()
      })
    })
    accepted.resume()
    dialled.end(bytes)
    await once(accepted, 'end')
    expect(Buffer.concat(heard).equals(bytes)).toBe(true)
    accepted.destroy()
  })
})
