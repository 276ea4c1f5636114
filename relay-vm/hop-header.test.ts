import { describe, expect, test } from 'vitest'
import { decodeHop, encodeHop, type Hop } from './hop-header.ts'

const hop: Hop = {
  kind: 'http',
  endpoint: 'host:a.test',
  origin: { address: '192.0.2.9', port: 50_000, localPort: 80 },
}
const from = (address: string): Hop => ({ ...hop, origin: { ...hop.origin, address } })

describe('hop header', () => {
  test.each<Hop>([
    hop,
    { ...from('2001:db8::1'), kind: 'https' },
    from('::1'),
    { ...hop, kind: 'raw', endpoint: 'tcp:c1:20001' },
    { ...hop, kind: 'carrier', endpoint: `ses_${'0'.repeat(30)} ${'A'.repeat(43)}` },
  ])('comes back as it was sent: %o', (sent) => {
    expect(decodeHop(encodeHop(sent))).toEqual(sent)
  })

  test('is a PROXY v2 header as its specification shows it', () => {
    expect(encodeHop({ ...hop, kind: 'raw', endpoint: 'x' }).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a21110011c0000209c0000209c3500050e000020078',
    )
  })

  test('the zone of a link-local address is left out', () => {
    expect(decodeHop(encodeHop(from('fe80::1%eth0')))).toEqual(from('fe80::1'))
  })

  test('cut at any byte, it is waited for', () => {
    const bytes = encodeHop(hop)
    for (let end = 0; end < bytes.length; end++) expect(decodeHop(bytes.subarray(0, end))).toBe('more')
  })

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['another signature', (bytes) => bytes.fill(1, 0, 1)],
    ['another version', (bytes) => bytes.fill(0x31, 12, 13)],
    ['a sender that speaks for itself', (bytes) => bytes.fill(0x20, 12, 13)],
    ['an address alone', (bytes) => bytes.fill(0, 14, 15).fill(12, 15, 16).subarray(0, 28)],
    ['no mark of the hop', (bytes) => bytes.fill(0x02, 28, 29)],
    ['an unknown kind', (bytes) => bytes.fill(9, 31, 32)],
    ['bytes behind it', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
  ])('%s is refused', (_name, spoil) => {
    expect(decodeHop(spoil(encodeHop(hop)))).toBe('malformed')
  })
})
