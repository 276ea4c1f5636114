import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sniffClientHello } from './sniff.ts'

/** The ClientHello that Node's own TLS client sends for `options`. */
async function captureHello(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const accepted = once(server, 'connection') as Promise<[net.Socket]>
  const client = tls.connect({ ...options, host: '127.0.0.1', port, rejectUnauthorized: false })
  client.on('error', () => {})
  const [socket] = await accepted
  let bytes = Buffer.alloc(0)
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer])
    if (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt16BE(3)) break
  }
  client.destroy()
  socket.destroy()
  server.close()
  return bytes
}

const vector = (lengthBytes: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts)
  const length = Buffer.alloc(lengthBytes)
  length.writeUIntBE(content.length, 0, lengthBytes)
  return Buffer.concat([length, content])
}
const u8 = (...bytes: number[]) => Buffer.from(bytes)
const u16 = (value: number) => u8(value >> 8, value & 255)
const extension = (type: number, content: Buffer) => Buffer.concat([u16(type), vector(2, content)])
const sniExtension = (name: string) => extension(0, vector(2, u8(0), vector(2, Buffer.from(name, 'latin1'))))
const alpnExtension = (...names: string[]) =>
  extension(16, vector(2, ...names.map((name) => vector(1, Buffer.from(name, 'latin1')))))

/** A ClientHello message that the test makes; `records` says how long each record's fragment is. */
function makeHello({
  extensions,
  fragment = 16_384,
  trailer = Buffer.alloc(0),
}: {
  extensions?: readonly Buffer[]
  fragment?: number
  trailer?: Buffer
}): Buffer {
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 1)),
    vector(2, u16(0x1301), u16(0x0a0a)),
    vector(1, u8(0)),
    ...(extensions === undefined ? [] : [vector(2, ...extensions)]),
  ])
  const message = Buffer.concat([u8(1), vector(3, body), trailer])
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += fragment)
    records.push(Buffer.concat([u8(22, 3, 1), vector(2, message.subarray(at, at + fragment))]))
  return Buffer.concat(records)
}

const plain = makeHello({ extensions: [sniExtension('demo.example.com'), alpnExtension('h2', 'http/1.1')] })

describe('sniff: real clients', () => {
  test.each([
    ['TLS 1.3', { minVersion: 'TLSv1.3' }],
    ['TLS 1.2', { maxVersion: 'TLSv1.2' }],
    ['a post-quantum key share', { ecdhCurve: 'X25519MLKEM768:X25519' }],
  ] as const)('Node with %s: name and protocols are read', async (_title, options) => {
    const bytes = await captureHello({
      ...options,
      servername: 'Demo.Example.com',
      ALPNProtocols: ['porttunneler', 'http/1.1'],
    })
    expect(sniffClientHello(bytes)).toEqual({
      hello: { sni: 'demo.example.com', alpn: ['porttunneler', 'http/1.1'] },
    })
  })

  test('a client that names no host and no protocol gives neither', async () => {
    expect(sniffClientHello(await captureHello({}))).toEqual({ hello: { sni: undefined, alpn: [] } })
  })

  test('a real hello is judged at its last byte and not before, however it is split', async () => {
    const bytes = await captureHello({ servername: 'a.example.com', ALPNProtocols: ['http/1.1'] })
    for (let cut = 0; cut < bytes.length; cut++)
      expect(sniffClientHello(bytes.subarray(0, cut)), `cut at ${cut}`).toBe('more')
    expect(sniffClientHello(bytes)).toEqual({ hello: { sni: 'a.example.com', alpn: ['http/1.1'] } })
  })
})

describe('sniff: made hellos', () => {
  test('any fragmentation over records gives the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 300 }), (fragment) => {
        const bytes = makeHello({ extensions: [sniExtension('x.example.com')], fragment })
        expect(sniffClientHello(bytes)).toEqual({ hello: { sni: 'x.example.com', alpn: [] } })
        for (let cut = 0; cut < bytes.length; cut += 7)
          expect(sniffClientHello(bytes.subarray(0, cut))).toBe('more')
      }),
      { numRuns: 60 },
    )
  })

  test('GREASE, encrypted hellos and big unknown extensions are skipped', () => {
    const grease = extension(0x0a0a, Buffer.alloc(0))
    const encrypted = extension(0xfe0d, Buffer.alloc(8_000, 3))
    const protocols = alpnExtension('\x0a\x0a', 'http/1.1')
    const bytes = makeHello({
      extensions: [grease, encrypted, protocols, sniExtension('a.b')],
      fragment: 4_000,
    })
    expect(sniffClientHello(bytes)).toEqual({ hello: { sni: 'a.b', alpn: ['http/1.1'] } })
  })

  test('a hello without extensions has no name', () => {
    expect(sniffClientHello(makeHello({}))).toEqual({ hello: { sni: undefined, alpn: [] } })
  })

  test('bytes after the hello record are not read', () => {
    expect(sniffClientHello(Buffer.concat([plain, Buffer.from('early data')]))).toEqual(
      sniffClientHello(plain),
    )
  })

  test.each([
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
    ['SSL 2', u8(0x80, 0x2e, 1, 0, 2)],
    ['an application data record', u8(23, 3, 3, 0, 1, 0)],
    ['an empty record', u8(22, 3, 1, 0, 0)],
    ['a record beyond the limit', u8(22, 3, 1, 0xff, 0xff)],
    ['another handshake message', u8(22, 3, 1, 0, 4, 2, 0, 0, 0)],
    ['a message beyond the limit', u8(22, 3, 1, 0, 4, 1, 1, 0, 0)],
    ['a message in the same record', makeHello({ trailer: u8(0) })],
    ['two names', makeHello({ extensions: [sniExtension('a.b'), sniExtension('c.d')] })],
    ['two protocol lists', makeHello({ extensions: [alpnExtension('a'), alpnExtension('b')] })],
    ['an empty name', makeHello({ extensions: [sniExtension('')] })],
    ['a name with a zero byte', makeHello({ extensions: [sniExtension('a\0.b')] })],
    ['a name with a slash', makeHello({ extensions: [sniExtension('../etc')] })],
    [
      'a name of another type',
      makeHello({ extensions: [extension(0, vector(2, u8(1), vector(2, u8(97))))] }),
    ],
    ['an empty list of names', makeHello({ extensions: [extension(0, vector(2))] })],
    ['an empty protocol', makeHello({ extensions: [alpnExtension('')] })],
    ['an empty list of protocols', makeHello({ extensions: [extension(16, vector(2))] })],
    ['a byte behind the list', makeHello({ extensions: [extension(16, u8(0, 2, 1, 97, 9))] })],
    ['a thousand tiny records', makeHello({ extensions: [sniExtension('a.b')], fragment: 1 })],
  ])('%s is refused', (_title, bytes) => {
    expect(sniffClientHello(bytes)).toBe('malformed')
  })

  test('16 KiB without an end are refused, and not waited on', () => {
    const endless = makeHello({ extensions: [extension(99, Buffer.alloc(20_000))] })
    expect(sniffClientHello(endless.subarray(0, 16_384))).toBe('malformed')
  })
})

describe('sniff: fuzz', () => {
  test('any bytes get a verdict, never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        sniffClientHello(Buffer.from(bytes))
        sniffClientHello(Buffer.concat([u8(22, 3, 1), vector(2, Buffer.from(bytes))]))
      }),
      { numRuns: 2_000 },
    )
  })

  test('a damaged hello is read, refused or waited on, and a verdict never changes back', () => {
    fc.assert(
      fc.property(fc.nat(plain.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const bytes = Buffer.from(plain)
        bytes[at] = value
        let isFinal = false
        for (let cut = 1; cut <= bytes.length; cut++) {
          const verdict = sniffClientHello(bytes.subarray(0, cut))
          if (isFinal) expect(verdict).toBe('malformed')
          if (verdict === 'malformed') isFinal = true
          if (typeof verdict === 'object') break
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
