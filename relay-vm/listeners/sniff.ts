/**
 * Reads server name (RFC 6066) and ALPN (RFC 7301) out of a ClientHello before TLS is spoken: bytes in, verdict out.
 * Hellos larger than a segment or a record are put together (post-quantum key shares exceed 1,500 bytes). GREASE and
 * encrypted hellos are ordinary unknown extensions. Every length must fit exactly: anything but a well-formed
 * ClientHello is refused before a TLS library sees it. Only the outer SNI decides.
 */
import { limits } from '@porttunneler/shared/protocol/limits'

export type ClientHello = {
  /** Lower case; undefined when the client names no host. */
  readonly sni: string | undefined
  /** In the client's order of preference; entries that are not ASCII (GREASE) are left out. */
  readonly alpn: readonly string[]
  /** Early data may follow right behind it (RFC 8446, 4.2.10). undefined: nothing follows before it is answered. */
  readonly isFollowed?: boolean
}

/** `more`: so far it may become a ClientHello; `malformed`: it never will. */
export type Verdict = { readonly hello: ClientHello } | 'more' | 'malformed'

const recordHandshake = 22
const messageClientHello = 1
const extensionServerName = 0
const extensionAlpn = 16
const extensionEarlyData = 42
/**
 * Clients use one or two; some split the name over records on purpose. A thousand records of one byte are an attack.
 */
const recordsMax = 64
/** Host names that can belong to our endpoints: letters, digits, hyphens, underscores; at most 253. */
const hostPattern = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})?(\.[a-z0-9_]([a-z0-9_-]{0,62})?)*$/

/** Thrown only inside this file: the hello ends before its own lengths say so. */
class Malformed extends Error {}

/**
 * Judges the bytes that a connection has sent so far. At the limit of 16 KiB the verdict is final.
 * @param bytes everything from the first byte on
 */
export function sniffClientHello(bytes: Buffer): Verdict {
  const body = joinRecords(bytes.subarray(0, limits.clientHelloBytes))
  if (body === 'more') return bytes.length >= limits.clientHelloBytes ? 'malformed' : 'more'
  if (body === 'malformed') return body
  try {
    return { hello: readHello(body) }
  } catch (error) {
    if (error instanceof Malformed) return 'malformed'
    throw error
  }
}

/**
 * The ClientHello message without its header, out of one or more records:
 * record: type u8 = 22 · version u16 = 0x03xx · length u16 (1 to 16,384) · fragment
 * message: type u8 = 1 · length u24 · body
 */
function joinRecords(bytes: Buffer): Buffer | 'more' | 'malformed' {
  const fragments: Buffer[] = []
  let collected = 0
  for (let at = 0; fragments.length < recordsMax; ) {
    const header = bytes.subarray(at, at + 5)
    if (!isRecordStart(header)) return 'malformed'
    if (header.length < 5) return 'more'
    const length = header.readUInt16BE(3)
    if (length === 0 || length > 16_384) return 'malformed'
    const fragment = bytes.subarray(at + 5, at + 5 + length)
    fragments.push(fragment)
    collected += fragment.length
    const isRecordWhole = fragment.length === length
    // Joining only at the record's end keeps a slow trickle of small pieces cheap.
    const body = isRecordWhole || fragments.length === 1 ? readMessage(fragments, collected) : 'more'
    if (body !== 'more' || !isRecordWhole) return body
    at += 5 + length
  }
  return 'malformed'
}

/** True while the bytes so far could begin a handshake record of any TLS version. */
function isRecordStart(header: Buffer): boolean {
  return (header[0] ?? recordHandshake) === recordHandshake && (header[1] ?? 3) === 3 && (header[2] ?? 0) <= 4
}

function readMessage(fragments: readonly Buffer[], collected: number): Buffer | 'more' | 'malformed' {
  const message = Buffer.concat(fragments, collected)
  if (message.length > 0 && message[0] !== messageClientHello) return 'malformed'
  if (message.length < 4) return 'more'
  const end = 4 + message.readUIntBE(1, 3)
  if (end > limits.clientHelloBytes) return 'malformed'
  if (message.length < end) return 'more'
  // A client waits for the answer to its hello: nothing else may be in the same record.
  return message.length > end ? 'malformed' : message.subarray(4)
}

/**
 * version u16 · random 32 · session id <u8> · cipher suites <u16> · compression methods <u8> · extensions <u16>,
 * each extension: type u16 · content <u16>; no type twice (RFC 8446, 4.2).
 */
function readHello(body: Buffer): ClientHello {
  const reader = new Reader(body)
  reader.take(2 + 32)
  if (reader.vector(1).length > 32) throw new Malformed()
  const suites = reader.vector(2)
  if (suites.length === 0 || suites.length % 2 !== 0) throw new Malformed()
  if (reader.vector(1).length === 0) throw new Malformed()
  let sni: string | undefined
  let alpn: readonly string[] = []
  if (reader.isAtEnd) return { sni, alpn }
  const extensions = new Reader(reader.vector(2))
  if (!reader.isAtEnd) throw new Malformed()
  const seen = new Set<number>()
  while (!extensions.isAtEnd) {
    const type = extensions.take(2).readUInt16BE()
    const content = extensions.vector(2)
    if (seen.has(type)) throw new Malformed()
    seen.add(type)
    if (type === extensionServerName) sni = readServerName(content)
    if (type === extensionAlpn) alpn = readAlpn(content)
  }
  return { sni, alpn, ...(seen.has(extensionEarlyData) && { isFollowed: true }) }
}

/** list <u16> of exactly one: type u8 = 0 (host name) · name <u16> */
function readServerName(content: Buffer): string {
  const reader = new Reader(content)
  const list = new Reader(reader.vector(2))
  if (!reader.isAtEnd || list.take(1)[0] !== 0) throw new Malformed()
  const name = list.vector(2).toString('latin1').toLowerCase()
  if (!list.isAtEnd || !hostPattern.test(name)) throw new Malformed()
  return name
}

/** list <u16> of names <u8>, none empty, at least one */
function readAlpn(content: Buffer): readonly string[] {
  const reader = new Reader(content)
  const list = new Reader(reader.vector(2))
  if (!reader.isAtEnd || list.isAtEnd) throw new Malformed()
  const names: string[] = []
  while (!list.isAtEnd) {
    const name = list.vector(1)
    if (name.length === 0) throw new Malformed()
    if (name.every((byte) => byte > 0x20 && byte < 0x7f)) names.push(name.toString('latin1'))
  }
  return names
}

/** Reads a buffer step by step; a hello is malformed when a read exceeds it. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new Malformed()
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  /** What follows a length of `lengthBytes` bytes. */
  vector(lengthBytes: 1 | 2): Buffer {
    return this.take(this.take(lengthBytes).readUIntBE(0, lengthBytes))
  }
}
