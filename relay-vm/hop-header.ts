/**
 * The header with which one relay process hands a visitor to another: a PROXY protocol v2 header with the visitor's
 * address, and behind it a field (TLV) of our own that marks the hop. A process that reads the mark serves the visitor
 * or declines and never hands it on, so there is one hop at most.
 *
 *   field: type u8 0xE0 (free for own use) · length u16 · kind u8 · endpoint in ASCII
 */

import { readProxyHeader, writeProxyHeader } from '@porttunneler/shared/protocol/proxy-header'
import type { Origin } from './listeners/origins.ts'

/**
 * `raw`: bytes as they are, for tcp and tls tunnels. `http` and `https`: a request head comes first, in plain text.
 * `carrier`: an agent's connection that is to join its session; its HELLO comes first.
 */
export type HopKind = 'raw' | 'http' | 'https' | 'carrier'

export type Hop = {
  readonly kind: HopKind
  /** Endpoint id of the tunnel: `tcp:<cell>:<port>` or `host:<name>`. Of a carrier: see carrier-hop.ts. */
  readonly endpoint: string
  readonly origin: Origin
}

const hopField = 0xe0
const fieldHeadBytes = 4
/** Where the length stands of all that follows the fixed part. */
const lengthAt = 14
const fixedBytes = 16
const kinds: readonly HopKind[] = ['raw', 'http', 'https', 'carrier']

export function encodeHop({ kind, endpoint, origin }: Hop): Buffer {
  const address = origin.address.replace(/%.*$/, '')
  const header = writeProxyHeader('v2', {
    sourceAddress: address,
    sourcePort: origin.port,
    // Nobody asks where the visitor arrived, but the address must be of the same family.
    destinationAddress: address,
    destinationPort: origin.localPort,
  })
  const field = Buffer.alloc(fieldHeadBytes)
  field.writeUInt8(hopField, 0)
  field.writeUInt16BE(1 + endpoint.length, 1)
  field.writeUInt8(kinds.indexOf(kind), 3)
  const bytes = Buffer.concat([header, field, Buffer.from(endpoint, 'latin1')])
  bytes.writeUInt16BE(bytes.length - fixedBytes, lengthAt)
  return bytes
}

/** `bytes` begin with the connection, and nothing may follow the header. @returns `more` while it is not complete */
export function decodeHop(bytes: Buffer): Hop | 'more' | 'malformed' {
  const verdict = readProxyHeader(bytes)
  if (verdict === 'more' || verdict === 'malformed') return verdict
  const { ends, length } = verdict
  if (ends === undefined || length !== bytes.length) return 'malformed'
  // 0x1_ is IPv4, 0x2_ IPv6: two addresses and two ports.
  const fieldAt = fixedBytes + (bytes.readUInt8(13) < 0x20 ? 12 : 36)
  if (length < fieldAt + fieldHeadBytes || bytes.readUInt8(fieldAt) !== hopField) return 'malformed'
  const kind = kinds[bytes.readUInt8(fieldAt + 3)]
  if (kind === undefined || fieldAt + 3 + bytes.readUInt16BE(fieldAt + 1) !== length) return 'malformed'
  return {
    kind,
    endpoint: bytes.toString('latin1', fieldAt + fieldHeadBytes),
    origin: { address: ends.sourceAddress, port: ends.sourcePort, localPort: ends.destinationPort },
  }
}
