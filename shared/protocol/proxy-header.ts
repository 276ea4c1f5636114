/**
 * The PROXY protocol (HAProxy's proxy-protocol.txt), versions 1 and 2, for TCP: it says who the visitor is, before a
 * connection's first byte. Agents write it towards upstreams; relays read it from load balancers that they trust.
 *
 *   v1  PROXY TCP4|TCP6 SP source SP destination SP source port SP destination port CR LF, at most 107 bytes;
 *       PROXY UNKNOWN ... CR LF says nothing
 *   v2  signature (12) · version and command u8 · family u8 · length u16 · addresses (12 or 36) · TLVs
 */
import { isIPv4, isIPv6 } from 'node:net'

export const proxyVersions = ['v1', 'v2'] as const
export type ProxyVersion = (typeof proxyVersions)[number]

export type ProxyEnds = {
  /** The visitor's address. */
  readonly sourceAddress: string
  readonly sourcePort: number
  readonly destinationAddress: string
  readonly destinationPort: number
}

/** `more`: it may still become a header; `malformed`: it never will. No `ends`: the sender speaks for itself. */
export type ProxyVerdict =
  | { readonly ends: ProxyEnds | undefined; readonly length: number }
  | 'more'
  | 'malformed'

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const v1Start = 'PROXY '
/** The specification's worst case, including CR LF. */
const v1BytesMax = 107
/** Addresses and TLVs. Clouds add some hundred bytes; certificates do not belong here. */
const v2BytesMax = 2_048
const v2Head = 16
/** The prefix of IPv4 addresses written as IPv6: ::ffff:0:0/96. */
const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex')

/** A buffer of this size holds every accepted header. */
export const proxyHeaderBytesMax = v2Head + v2BytesMax

/** Both addresses must be of one family; otherwise the header says that nothing is known. */
export function writeProxyHeader(version: ProxyVersion, ends: ProxyEnds): Buffer {
  const { sourceAddress: source, destinationAddress: destination } = ends
  const isFour = isIPv4(source) && isIPv4(destination)
  const isKnown = isFour || (isIPv6(source) && isIPv6(destination))
  if (version === 'v2') return writeV2(ends, isKnown ? (isFour ? 4 : 6) : undefined)
  if (!isKnown) return Buffer.from('PROXY UNKNOWN\r\n')
  const ports = `${ends.sourcePort} ${ends.destinationPort}`
  return Buffer.from(`PROXY ${isFour ? 'TCP4' : 'TCP6'} ${source} ${destination} ${ports}\r\n`)
}

function writeV2(ends: ProxyEnds, family: 4 | 6 | undefined): Buffer {
  const head = Buffer.alloc(v2Head)
  signature.copy(head)
  head[12] = 0x21
  if (family === undefined) return head
  const toBytes = family === 4 ? bytesOfV4 : bytesOfV6
  const addresses = [toBytes(ends.sourceAddress), toBytes(ends.destinationAddress)]
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(ends.sourcePort, 0)
  ports.writeUInt16BE(ends.destinationPort, 2)
  head[13] = family === 4 ? 0x11 : 0x21
  head.writeUInt16BE(family === 4 ? 12 : 36, 14)
  return Buffer.concat([head, ...addresses, ports])
}

/** Judges what a connection has sent so far. An accepted header has at most `proxyHeaderBytesMax` bytes. */
export function readProxyHeader(bytes: Buffer): ProxyVerdict {
  if (bytes.length === 0) return 'more'
  return bytes[0] === signature[0] ? readV2(bytes) : readV1(bytes)
}

function readV1(bytes: Buffer): ProxyVerdict {
  const text = bytes.toString('latin1', 0, v1BytesMax)
  if (!text.startsWith(v1Start)) return v1Start.startsWith(text) ? 'more' : 'malformed'
  const end = text.indexOf('\r\n')
  if (end === -1) return text.length >= v1BytesMax ? 'malformed' : 'more'
  const length = end + 2
  const [, family = '', source = '', destination = '', ...ports] = text.slice(0, end).split(' ')
  if (family === 'UNKNOWN') return { ends: undefined, length }
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainV6 : undefined
  if (!isAddress?.(source) || !isAddress(destination)) return 'malformed'
  const [sourcePort, destinationPort] = ports.map(parsePort)
  if (ports.length !== 2 || sourcePort === undefined || destinationPort === undefined) return 'malformed'
  const spell = family === 'TCP4' ? (text: string) => text : (text: string) => textOfV6(bytesOfV6(text))
  return {
    ends: {
      sourceAddress: spell(source),
      sourcePort,
      destinationAddress: spell(destination),
      destinationPort,
    },
    length,
  }
}

/** `%` and a zone mean nothing outside one machine. */
function isPlainV6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

function parsePort(text: string): number | undefined {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined
}

function readV2(bytes: Buffer): ProxyVerdict {
  const seen = Math.min(bytes.length, signature.length)
  if (bytes.compare(signature, 0, seen, 0, seen) !== 0) return 'malformed'
  if (bytes.length < v2Head) return 'more'
  const length = bytes.readUInt16BE(14)
  const command = bytes.readUInt8(12)
  const family = bytes.readUInt8(13)
  if (length > v2BytesMax || (command !== 0x20 && command !== 0x21)) return 'malformed'
  // LOCAL: the balancer's own connection (a probe). Skip what follows, whatever it is.
  const size = command === 0x20 || family === 0 ? 0 : addressBytes.get(family)
  if (size === undefined || size > length) return 'malformed'
  const whole = v2Head + length
  if (bytes.length < whole) return 'more'
  if (size === 0) return { ends: undefined, length: whole }
  if (!isTlvList(bytes.subarray(v2Head + size, whole))) return 'malformed'
  return { ends: readEnds(bytes.subarray(v2Head, v2Head + size)), length: whole }
}

/**
 * The size of both addresses and both ports, by family: TCP over IPv4, TCP over IPv6. Other families are not our
 * visitors.
 */
const addressBytes: ReadonlyMap<number, number> = new Map([
  [0x11, 12],
  [0x21, 36],
])

function readEnds(bytes: Buffer): ProxyEnds {
  const size = bytes.length === 12 ? 4 : 16
  const say = size === 4 ? textOfV4 : textOfV6
  return {
    sourceAddress: say(bytes.subarray(0, size)),
    destinationAddress: say(bytes.subarray(size, 2 * size)),
    sourcePort: bytes.readUInt16BE(2 * size),
    destinationPort: bytes.readUInt16BE(2 * size + 2),
  }
}

/** type u8 · length u16 · value, one after the other up to the very end. */
function isTlvList(bytes: Buffer): boolean {
  let at = 0
  while (at + 3 <= bytes.length) at += 3 + bytes.readUInt16BE(at + 1)
  return at === bytes.length
}

function bytesOfV4(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number))
}

function textOfV4(bytes: Buffer): string {
  return bytes.join('.')
}

/** For an address that `isIPv6` has checked and that has no zone. */
function bytesOfV6(text: string): Buffer {
  const [front = [], back = []] = spellV6(text)
    .split('::', 2)
    .map((part) => part.split(':').flatMap((group) => (group === '' ? [] : [Number.parseInt(group, 16)])))
  const address = Buffer.alloc(16)
  for (const [index, group] of front.entries()) address.writeUInt16BE(group, 2 * index)
  for (const [index, group] of back.entries()) address.writeUInt16BE(group, 16 - 2 * (back.length - index))
  return address
}

/** An IPv4 address in IPv6 form is written as IPv4. */
function textOfV6(bytes: Buffer): string {
  if (bytes.compare(mappedPrefix, 0, 12, 0, 12) === 0) return textOfV4(bytes.subarray(12))
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16))
  return spellV6(groups.join(':'))
}

/** The canonical spelling of RFC 5952, without a dotted end. */
function spellV6(text: string): string {
  return new URL(`http://[${text}]`).hostname.slice(1, -1)
}
