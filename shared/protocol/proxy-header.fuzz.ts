/**
 * Fuzz of the PROXY header reader: headers of both versions with random damage, cut anywhere, with bytes after them.
 * The reader never throws, never takes a verdict back, and what it accepts means the same when it is written again.
 */
import { isIP } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { seededRandom } from '../testing/wire-pair.ts'
import { type ProxyEnds, proxyHeaderBytesMax, readProxyHeader, writeProxyHeader } from './proxy-header.ts'

function makeHeader(random: () => number): Buffer {
  const below = (end: number) => Math.floor(random() * end)
  const isFour = random() < 0.5
  const address = () => {
    if (isFour) return Array.from({ length: 4 }, () => below(256)).join('.')
    const groups = Array.from({ length: 8 }, () => below(65_536).toString(16))
    return random() < 0.3 ? `::ffff:${below(256)}.0.2.${below(256)}` : groups.join(':')
  }
  const header = writeProxyHeader(random() < 0.5 ? 'v1' : 'v2', {
    sourceAddress: random() < 0.05 ? 'unknown' : address(),
    sourcePort: below(65_536),
    destinationAddress: address(),
    destinationPort: below(65_536),
  })
  const isBinary = header[0] === 0x0d
  if (!isBinary || random() < 0.5) return header
  // A list of TLVs that fits, before any damage.
  const tlvs = Buffer.concat(
    Array.from({ length: below(4) }, () => {
      const length = below(40)
      return Buffer.concat([Buffer.of(below(256), 0, length), Buffer.alloc(length, below(256))])
    }),
  )
  header.writeUInt16BE(header.readUInt16BE(14) + tlvs.length, 14)
  return Buffer.concat([header, tlvs])
}

/** @throws with the input when the reader breaks a promise */
export function runCases({ seed, cases }: { readonly seed: number; readonly cases: number }): {
  accepted: number
} {
  const random = seededRandom(seed)
  let accepted = 0
  for (let n = 0; n < cases; n++) {
    const header = makeHeader(random)
    const bytes = Buffer.concat([header, Buffer.alloc(Math.floor(random() * 30), 'GET / HTTP/1.1\r\n')])
    for (let hits = Math.floor(random() * 3); hits > 0; hits--)
      bytes[Math.floor(random() * header.length)] = Math.floor(random() * 256)
    try {
      if (check(bytes, Math.floor(random() * bytes.length))) accepted += 1
    } catch (error) {
      throw new Error(`seed ${seed}, case ${n}: ${bytes.toString('hex')}`, { cause: error })
    }
  }
  return { accepted }
}

/** True when `bytes` begin with a header. */
function check(bytes: Buffer, cut: number): boolean {
  const early = readProxyHeader(bytes.subarray(0, cut))
  const verdict = readProxyHeader(bytes)
  if (early !== 'more' && !isDeepStrictEqual(early, verdict)) throw new Error('a verdict was taken back')
  if (typeof verdict === 'string') return false
  const { ends, length } = verdict
  if (length > bytes.length || length > proxyHeaderBytesMax) throw new Error('a header longer than may be')
  if (ends) checkEnds(ends)
  return true
}

function checkEnds(ends: ProxyEnds): void {
  if (isIP(ends.sourceAddress) === 0 || isIP(ends.destinationAddress) === 0)
    throw new Error('an address that is none')
  // One end may be read as IPv4 and the other not: then no header can say both.
  if (isIP(ends.sourceAddress) !== isIP(ends.destinationAddress)) return
  for (const version of ['v1', 'v2'] as const) {
    const again = readProxyHeader(writeProxyHeader(version, ends))
    if (typeof again === 'string' || !isDeepStrictEqual(again.ends, ends))
      throw new Error(`written again as ${version} it means something else`)
  }
}
