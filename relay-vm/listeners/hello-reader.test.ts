import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { Secret } from '@porttunneler/shared/base/secret'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { makeSelfSigned } from '../self-signed.ts'
import { beginTls } from './begin-tls.ts'
import { readHello } from './hello-reader.ts'
import { sniffClientHello } from './sniff.ts'

let identity: { readonly certificate: string; readonly key: Secret }
const closing: (() => void)[] = []

beforeAll(async () => {
  identity = await makeSelfSigned(['a.test'], Date.now())
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A server for TLS visitors, with the results; `mayStart` is the listener's decision. */
async function serve(mayStart: (isInRead: boolean) => boolean = (isInRead) => isInRead) {
  const met = Promise.withResolvers<{ readonly socket: TLSSocket; readonly raw: Socket }>()
  const raws: Socket[] = []
  const key = identity.key.reveal()
  const server = createTlsServer({ cert: identity.certificate, key })
  server.on('secureConnection', (socket) => met.resolve({ socket, raw: raws[0] ?? socket }))
  server.on('tlsClientError', met.reject)
  const at = createServer({ allowHalfOpen: true }, (raw) => {
    raws.push(raw)
    raw.on('error', met.reject)
    const reading = readHello(raw, (bytes) => {
      const verdict = sniffClientHello(bytes)
      if (verdict === 'more') return
      const isInRead = mayStart(reading.isInRead)
      reading.stop()
      if (verdict === 'malformed') met.reject(new Error(verdict))
      else beginTls(server, raw, { bytes, isInRead: isInRead && !verdict.hello.isFollowed })
    })
  }).listen(0, '127.0.0.1')
  await once(at, 'listening')
  closing.push(() => {
    at.close()
    for (const raw of raws) raw.destroy()
  })
  met.promise.catch(() => {})
  return { port: (at.address() as AddressInfo).port, met: met.promise }
}

/** The largest read that the kernel gave TLS while a megabyte came. */
async function largestRead(mayStart?: (isInRead: boolean) => boolean): Promise<number> {
  const { port, met } = await serve(mayStart)
  const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  client.end(Buffer.alloc(1_000_000, 'x'))
  const { socket, raw } = await met
  let [largest, before, got] = [0, raw.bytesRead, 0]
  for await (const chunk of socket) {
    got += (chunk as Buffer).length
    largest = Math.max(largest, raw.bytesRead - before)
    before = raw.bytesRead
  }
  expect(got).toBe(1_000_000)
  return largest
}

test('hello: after it TLS reads 64 KiB at a time, as on a socket that nobody read before', async () => {
  expect(await largestRead()).toBeGreaterThan(60_000)
  // Node's own behaviour; when this changes, begin-tls.ts is needless.
  expect(await largestRead(() => false)).toBeLessThan(40_000)
})

test('hello: a handshake that comes byte by byte, and a hello in many records, are read as usual', async () => {
  const { port, met } = await serve()
  const wire = connect({ port, host: '127.0.0.1' })
  closing.push(() => wire.destroy())
  const dripping = new Duplex({
    read() {},
    async write(chunk: Buffer, _encoding, done) {
      for (const bytes of inRecords(chunk, 200)) for (const byte of bytes) wire.write(Buffer.of(byte))
      done()
    },
  })
  wire.on('data', (bytes) => dripping.push(bytes))
  const client = connectTls({ socket: dripping, rejectUnauthorized: false })
  client.write('word')
  const [word] = await once((await met).socket, 'data')
  expect(String(word)).toBe('word')
})

/** Splits a record of a hello into several; leaves anything else as it is. */
function inRecords(bytes: Buffer, most: number): readonly Buffer[] {
  if (bytes[0] !== 22) return [bytes]
  const records: Buffer[] = []
  for (let at = 5; at < bytes.length; at += most) {
    const part = bytes.subarray(at, at + most)
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part)
  }
  return records
}

test('hello: the bytes behind it are left to the next reader of the socket, to the end', async () => {
  const heard = Promise.withResolvers<string>()
  const at = createServer({ allowHalfOpen: true }, (socket) => {
    const reading = readHello(socket, (bytes) => {
      if (sniffClientHello(bytes) === 'more') return
      reading.stop()
      socket.pause()
      setImmediate(async () => {
        let text = ''
        for await (const chunk of socket) text += String(chunk)
        heard.resolve(text)
      })
    })
  }).listen(0, '127.0.0.1')
  await once(at, 'listening')
  const client = connect({ port: (at.address() as AddressInfo).port, host: '127.0.0.1' })
  client.end(Buffer.concat([await captureHello(), Buffer.alloc(300_000, 'r')]))
  expect(await heard.promise).toBe('r'.repeat(300_000))
  client.destroy()
  at.close()
})

test('hello: early data right behind it is not read before it', async () => {
  const { port } = await serve()
  const hello = withExtension(await captureHello(), 42)
  const early = Buffer.concat([Buffer.of(23, 3, 3, 0, 40), Buffer.alloc(40, 'e')])
  const client = connect({ port, host: '127.0.0.1' })
  closing.push(() => client.destroy())
  client.write(Buffer.concat([hello, early]))
  const [answer] = await once(client, 'data')
  // A handshake record: the server's hello, and no alert.
  expect((answer as Buffer)[0]).toBe(22)
})

/** The first message of a client of Node. */
async function captureHello(): Promise<Buffer> {
  const said = Promise.withResolvers<Buffer>()
  const wire = new Duplex({ read() {}, write: (chunk) => said.resolve(chunk) })
  connectTls({ socket: wire, servername: 'a.test' }).on('error', () => {})
  const hello = await said.promise
  wire.destroy()
  return hello
}

/** Adds an empty extension behind the others, and updates the three lengths that count it. */
function withExtension(hello: Buffer, type: number): Buffer {
  const longer = Buffer.concat([hello, Buffer.of(0, type, 0, 0)])
  longer.writeUInt16BE(hello.readUInt16BE(3) + 4, 3)
  longer.writeUIntBE(hello.readUIntBE(6, 3) + 4, 6, 3)
  let at = 9 + 2 + 32
  at += 1 + longer.readUInt8(at)
  at += 2 + longer.readUInt16BE(at)
  at += 1 + longer.readUInt8(at)
  longer.writeUInt16BE(longer.readUInt16BE(at) + 4, at)
  return longer
}
