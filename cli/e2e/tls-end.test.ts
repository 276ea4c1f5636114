/** The end of a visitor's TLS, with Node's own TLS as the visitor and a stream that the test drives. */
import { Duplex } from 'node:stream'
import { connect, createSecureContext, type TLSSocket } from 'node:tls'
import { systemClock } from '@porttunneler/shared/base/clock'
import { certificateRequest, newCertificateKey } from '@porttunneler/shared/base/csr'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { SmallIssuer } from '@porttunneler/shared/testing/small-issuer'
import { describe, expect, test, vi } from 'vitest'
import type { PlainVisitor, VisitorStream } from '../agent/visitor-stream.ts'
import { TlsEnd } from './tls-end.ts'

const host = 'shop.e2e.tunnels.test'
const windowBytes = 64 * 1024

const issuer = new SmallIssuer({ clock: systemClock })
const key = newCertificateKey()

const issued = issue()

async function issue(): Promise<string> {
  const account = { url: '', key }
  const order = await issuer.order(account, { hosts: [host] })
  await issuer.ready(account, { url: order.url, type: '', token: '', status: '' })
  await issuer.readOrder(account, order.url)
  await issuer.finalize(account, order, certificateRequest(key, [host]))
  return issuer.download(account, order.url)
}

/** A stream between a visitor's TLS and the agent; it gives the agent no more than a window that is not credited. */
class TestStream implements VisitorStream {
  readonly wire: Duplex
  readonly resets: ErrorKey[] = []
  isOver = false
  bytesIn = 0
  bytesOut = 0
  sent = 0
  credited = 0
  hasEnded = false
  openedTimes = 0
  readonly #waiting: { bytes: Buffer; readonly done: () => void }[] = []
  end_: TlsEnd | undefined

  constructor() {
    this.wire = new Duplex({
      read() {},
      write: (bytes: Buffer, _encoding, done) => {
        this.#waiting.push({ bytes, done })
        this.pump()
      },
      final: (done) => {
        this.end_?.onFin()
        done()
      },
    })
    this.wire.on('error', () => {})
  }

  pump(): void {
    for (
      let next = this.#waiting[0];
      next && this.sent - this.credited < windowBytes;
      next = this.#waiting[0]
    ) {
      const room = windowBytes - this.sent + this.credited
      const bytes = next.bytes.subarray(0, room)
      next.bytes = next.bytes.subarray(room)
      if (next.bytes.length === 0) this.#waiting.shift()
      this.sent += bytes.length
      this.end_?.onData(bytes)
      if (next.bytes.length === 0) next.done()
    }
  }

  write(chunk: Buffer): boolean {
    this.bytesOut += chunk.length
    this.wire.push(Buffer.from(chunk))
    return true
  }

  end(): void {
    this.hasEnded = true
    this.wire.push(null)
  }

  consumed(bytes: number): void {
    this.credited += bytes
    setImmediate(() => this.pump())
  }

  reset(key: ErrorKey): void {
    this.isOver = true
    this.resets.push(key)
    this.wire.destroy()
  }

  resetBehind(key: ErrorKey): void {
    this.reset(key)
  }

  opened(): void {
    this.openedTimes += 1
  }

  answeredUpgrade(): void {}
}

type Told = {
  dialled: number
  started: number
  data: Buffer[]
  fins: number
  writables: number
  resets: number[]
  closed: number
}

async function stage({ protocols = [] as string[], name = host, ca = true, isShared = false } = {}) {
  const stream = new TestStream()
  const told: Told = { dialled: 0, started: 0, data: [], fins: 0, writables: 0, resets: [], closed: 0 }
  const context = createSecureContext({ key: key.reveal(), cert: await issued })
  const end = new TlsEnd(stream, {
    clock: systemClock,
    protocols,
    isShared,
    contextOf: (asked) => (asked === host ? context : undefined),
  })
  const visitor: PlainVisitor = {
    start: () => void told.started++,
    dial: () => void told.dialled++,
    onData: (bytes) => void told.data.push(Buffer.from(bytes)),
    onFin: () => void told.fins++,
    onWritable: () => void told.writables++,
    onReset: (code) => void told.resets.push(code),
    onClosed: () => void told.closed++,
  }
  stream.end_ = end
  end.lead(visitor)
  const client: TLSSocket = connect({
    socket: stream.wire,
    servername: name,
    rejectUnauthorized: false,
    ...(protocols.length > 0 && { ALPNProtocols: ['h2', ...protocols] }),
  })
  const failures: Error[] = []
  client.on('error', (error) => failures.push(error))
  client.resume()
  return { stream, told, end, client, failures, ca, text: () => Buffer.concat(told.data).toString() }
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 5 })

describe('end of TLS at the agent', () => {
  test('the visitor starts after the handshake, and plain bytes go both ways', async () => {
    const { stream, told, end, client, text } = await stage({ protocols: ['http/1.1'] })
    const heard: Buffer[] = []
    client.on('data', (bytes: Buffer) => heard.push(bytes))
    await until(() => expect(told.started).toBe(1))
    expect([stream.openedTimes, client.alpnProtocol]).toEqual([1, 'http/1.1'])
    client.write('ask')
    await until(() => expect(text()).toBe('ask'))
    const shared = Buffer.from('answer')
    end.write(shared)
    shared.fill('x')
    await until(() => expect(Buffer.concat(heard).toString()).toBe('answer'))
  })

  test('each direction ends by itself', async () => {
    const { stream, told, end, client } = await stage()
    await until(() => expect(told.started).toBe(1))
    client.end('last')
    await until(() => expect(told.fins).toBe(1))
    expect(stream.hasEnded).toBe(false)
    end.consumed(4)
    end.end()
    await until(() => expect(stream.hasEnded).toBe(true))
    expect(stream.resets).toEqual([])
    expect(stream.credited).toBe(stream.sent)
    end.onClosed()
    expect(told.closed).toBe(1)
  })

  test('a visitor that ends without a word of TLS ends the same way', async () => {
    const { stream, told, end } = await stage()
    await until(() => expect(told.started).toBe(1))
    end.onFin()
    await until(() => expect(told.fins).toBe(1))
    end.end()
    await until(() => expect(stream.hasEnded).toBe(true))
  })

  test('a visitor that is gone before the handshake is over ends it at once', async () => {
    const { stream, told, end, client } = await stage()
    client.once('secureConnect', () => end.onFin())
    await until(() => expect(stream.resets).toEqual(['tls.handshake']))
    expect([told.started, told.fins, told.resets.length]).toEqual([0, 0, 1])
  })

  test('what the upstream has not taken is not credited, and no more than a window comes', async () => {
    const { stream, told, end, client } = await stage()
    await until(() => expect(told.started).toBe(1))
    const block = Buffer.alloc(1024 * 1024, 'a')
    client.write(block)
    const held = () => told.data.reduce((sum, { length }) => sum + length, 0)
    await until(() => expect(stream.sent - stream.credited).toBeGreaterThanOrEqual(windowBytes))
    expect(held()).toBeLessThan(2 * windowBytes)
    let taken = 0
    await until(() => {
      end.consumed(held() - taken)
      taken = held()
      expect(taken).toBe(block.length)
    })
    end.consumed(held() - taken)
    expect(stream.credited).toBe(stream.sent)
  })

  test('a name without a certificate fails the handshake, and no visitor starts', async () => {
    const { stream, told, failures } = await stage({ name: 'other.test' })
    await until(() => expect(stream.resets).toEqual(['tls.handshake']))
    expect([told.started, told.resets.length, failures.length]).toEqual([0, 1, 1])
  })

  test('bytes that are no TLS end it', async () => {
    const { stream, told, end } = await stage()
    end.onData(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    await until(() => expect(stream.resets).toEqual(['tls.handshake']))
    expect(told.started).toBe(0)
  })

  test('an upstream that breaks off is told to the visitor as a break, behind its last bytes', async () => {
    const { stream, told, end, client, failures } = await stage()
    const heard: Buffer[] = []
    client.on('data', (bytes: Buffer) => heard.push(bytes))
    await until(() => expect(told.started).toBe(1))
    end.write(Buffer.alloc(300_000, 'z'))
    end.resetBehind('stream.aborted')
    await until(() => expect(stream.resets).toEqual(['stream.aborted']))
    expect(stream.bytesOut).toBeGreaterThan(300_000)
    expect([stream.hasEnded, failures.length]).toEqual([false, 0])
  })

  test('a reset from the relay reaches the visitor once, and later calls do nothing', async () => {
    const { stream, told, end } = await stage()
    await until(() => expect(told.started).toBe(1))
    end.onReset(42)
    expect(told.resets).toEqual([42])
    expect(end.write(Buffer.from('late'))).toBe(true)
    end.end()
    end.onData(Buffer.from('late'))
    expect([told.resets, stream.hasEnded]).toEqual([[42], false])
  })

  test('where other agents may do better, the upstream is reached first, and what it says comes after the handshake', async () => {
    const { stream, told, end, client } = await stage({ isShared: true })
    expect([told.dialled, stream.openedTimes]).toEqual([1, 0])
    const heard: Buffer[] = []
    client.on('data', (bytes: Buffer) => heard.push(bytes))
    end.write(Buffer.from('220 ready'))
    end.opened(5)
    end.opened(6)
    await until(() => expect(Buffer.concat(heard).toString()).toBe('220 ready'))
    end.end()
    await until(() => expect(stream.hasEnded).toBe(true))
    expect([told.started, stream.openedTimes, stream.resets]).toEqual([1, 1, []])
  })

  test('an upstream that cannot be reached is told to the relay before anything else', async () => {
    const { stream, end } = await stage({ isShared: true })
    end.reset('upstream.refused')
    end.opened(5)
    expect([stream.resets, stream.openedTimes]).toEqual([['upstream.refused'], 0])
  })
})
