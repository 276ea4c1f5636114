import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ProxyEnds, proxyHeaderBytesMax, readProxyHeader, writeProxyHeader } from './proxy-header.ts'

const four: ProxyEnds = {
  sourceAddress: '192.0.2.7',
  sourcePort: 56_324,
  destinationAddress: '203.0.113.1',
  destinationPort: 443,
}
const six: ProxyEnds = { ...four, sourceAddress: '2001:db8::7', destinationAddress: '::1' }
const signature = '0d0a0d0a000d0a515549540a'

/** A v2 header as the specification describes it, built by hand. */
function v2(parts: { command?: string; family?: string; length?: number; rest?: string }): Buffer {
  const { command = '21', family = '11', rest = 'c0000207cb007101dc0401bb' } = parts
  const length = (parts.length ?? rest.length / 2).toString(16).padStart(4, '0')
  return Buffer.from(signature + command + family + length + rest, 'hex')
}

const address4 = fc.ipV4()
const address6 = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  // ::ffff:0:0/96 is read as IPv4.
  .filter((bytes) => bytes[0] !== 0)
  .map((bytes) =>
    Buffer.from(bytes)
      .toString('hex')
      .replace(/(....)(?=.)/g, '$1:'),
  )
  .map((text) => new URL(`http://[${text}]`).hostname.slice(1, -1))
const port = fc.nat(65_535)
const anyEnds = fc.oneof(
  ...[address4, address6].map((address) =>
    fc.record({
      sourceAddress: address,
      sourcePort: port,
      destinationAddress: address,
      destinationPort: port,
    }),
  ),
)
const version = fc.constantFrom('v1', 'v2')

describe('PROXY header', () => {
  test('version 1 is the line of the specification', () => {
    expect(writeProxyHeader('v1', four).toString()).toBe('PROXY TCP4 192.0.2.7 203.0.113.1 56324 443\r\n')
    expect(writeProxyHeader('v1', six).toString()).toBe('PROXY TCP6 2001:db8::7 ::1 56324 443\r\n')
  })

  test('version 2 is the block of the specification', () => {
    expect(writeProxyHeader('v2', four).toString('hex')).toBe(v2({}).toString('hex'))
    const rest = `20010db8${'0'.repeat(23)}7${'0'.repeat(31)}1dc0401bb`
    expect(writeProxyHeader('v2', six).toString('hex')).toBe(v2({ family: '21', rest }).toString('hex'))
  })

  test('a visitor without a known address is written and read as unknown', () => {
    const unknown = { ...four, sourceAddress: 'somewhere' }
    expect(writeProxyHeader('v1', unknown).toString()).toBe('PROXY UNKNOWN\r\n')
    expect(writeProxyHeader('v2', unknown).toString('hex')).toBe(`${signature}21000000`)
    for (const kind of ['v1', 'v2'] as const) {
      const bytes = writeProxyHeader(kind, unknown)
      expect(readProxyHeader(bytes)).toEqual({ ends: undefined, length: bytes.length })
    }
  })

  test.each([
    [
      'v1 with all that UNKNOWN may say',
      Buffer.from('PROXY UNKNOWN ffff::1 ffff::1 1 2\r\nhello'),
      35,
      undefined,
    ],
    ['v2 LOCAL, a probe', v2({ command: '20', family: '00', rest: '0102' }), 18, undefined],
    ['v2 of a family left open', v2({ family: '00', rest: '' }), 16, undefined],
    ['v2 with TLVs', v2({ rest: 'c0000207cb007101dc0401bb04000201020300010f' }), 37, four],
    [
      'an IPv4 address in IPv6 clothes',
      Buffer.from('PROXY TCP6 ::ffff:192.0.2.7 ::FFFF:203.0.113.1 56324 443\r\n'),
      58,
      four,
    ],
  ])('%s is understood', (_name, bytes, length, ends) => {
    expect(readProxyHeader(bytes)).toEqual({ ends, length })
  })

  test.each([
    ['a request', 'GET / HTTP/1.1\r\n'],
    ['a ClientHello', '\u0016\u0003\u0001'],
    ['lower case', 'proxy TCP4 192.0.2.7 203.0.113.1 1 2\r\n'],
    ['two spaces', 'PROXY TCP4  192.0.2.7 203.0.113.1 1 2\r\n'],
    ['a port too high', 'PROXY TCP4 192.0.2.7 203.0.113.1 1 65536\r\n'],
    ['a port with a zero in front', 'PROXY TCP4 192.0.2.7 203.0.113.1 01 2\r\n'],
    ['a signed port', 'PROXY TCP4 192.0.2.7 203.0.113.1 +1 2\r\n'],
    ['a missing port', 'PROXY TCP4 192.0.2.7 203.0.113.1 1\r\n'],
    ['a word too many', 'PROXY TCP4 192.0.2.7 203.0.113.1 1 2 3\r\n'],
    ['an octal address', 'PROXY TCP4 192.0.2.07 203.0.113.1 1 2\r\n'],
    ['an address of the other family', 'PROXY TCP4 ::1 ::1 1 2\r\n'],
    ['a zone', 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n'],
    ['UDP', 'PROXY UDP4 192.0.2.7 203.0.113.1 1 2\r\n'],
    ['LF alone', `PROXY TCP4 192.0.2.7 203.0.113.1 1 2\n${'x'.repeat(80)}`],
    ['a line without an end', `PROXY UNKNOWN ${'x'.repeat(100)}`],
  ])('v1: %s is refused', (_name, text) => {
    expect(readProxyHeader(Buffer.from(text, 'latin1'))).toBe('malformed')
  })

  test.each([
    ['another version', v2({ command: '11' })],
    ['another command', v2({ command: '22' })],
    ['UDP', v2({ family: '12' })],
    ['a Unix socket', v2({ family: '31', rest: '00'.repeat(216) })],
    ['fewer bytes than its addresses', v2({ rest: 'c0000207' })],
    ['a TLV that ends beyond the header', v2({ rest: 'c0000207cb007101dc0401bb04000501' })],
    ['more than fits', v2({ length: 2_049 })],
    ['a signature with a slip', Buffer.from('0d0a0d0a000d0a515549540b21110000', 'hex')],
  ])('v2: %s is refused', (_name, bytes) => {
    expect(readProxyHeader(bytes)).toBe('malformed')
  })

  test('what is written is read, wherever it is cut, whatever follows', () => {
    fc.assert(
      fc.property(version, anyEnds, fc.uint8Array({ maxLength: 64 }), (kind, ends, rest) => {
        const header = writeProxyHeader(kind, ends)
        for (let cut = 0; cut < header.length; cut++)
          expect(readProxyHeader(header.subarray(0, cut))).toBe('more')
        expect(readProxyHeader(Buffer.concat([header, rest]))).toEqual({ ends, length: header.length })
      }),
      { numRuns: 300 },
    )
  })

  test('any bytes get a verdict: never beyond their end, never undecided beyond the limit', () => {
    const start = fc.constantFrom(
      '',
      'PROXY TCP4 ',
      'PROXY TCP6 ',
      'PROXY UNKNOWN',
      Buffer.from(signature, 'hex').toString('latin1'),
    )
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.uint8Array({ minLength: 2_100, maxLength: 2_200 }),
    )
    fc.assert(
      fc.property(start, noise, (text, bytes) => {
        const all = Buffer.concat([Buffer.from(text, 'latin1'), bytes])
        const verdict = readProxyHeader(all)
        if (verdict === 'more') expect(all.length).toBeLessThan(proxyHeaderBytesMax)
        else if (verdict !== 'malformed') expect(verdict.length).toBeLessThanOrEqual(all.length)
      }),
      { numRuns: 1_500 },
    )
  })

  test('a header with one byte changed is another header or none, and what is accepted has real addresses', () => {
    fc.assert(
      fc.property(version, anyEnds, fc.nat(), fc.nat(255), (kind, ends, at, byte) => {
        const header = writeProxyHeader(kind, ends)
        header[at % header.length] = byte
        const verdict = readProxyHeader(header)
        if (verdict === 'more' || verdict === 'malformed' || !verdict.ends) return
        // Written again, it means the same.
        expect(readProxyHeader(writeProxyHeader('v2', verdict.ends))).toMatchObject({ ends: verdict.ends })
      }),
      { numRuns: 1_500 },
    )
  })
})
