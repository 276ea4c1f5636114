/**
 * Fuzz of the ClientHello reader: well-formed hellos with random damage. The reader must return a verdict and never
 * throw.
 */
import { seededRandom } from '@porttunneler/shared/testing/wire-pair'
import { sniffClientHello } from './sniff.ts'

const u16 = (value: number) => Buffer.from([value >> 8, value & 255])
const vector = (lengthBytes: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts)
  const length = Buffer.alloc(lengthBytes)
  length.writeUIntBE(content.length, 0, lengthBytes)
  return Buffer.concat([length, content])
}

function makeHello(random: () => number): Buffer {
  const name = Buffer.from(`n${Math.floor(random() * 1e6)}.example`)
  const alpn = ['http/1.1', 'h2', 'porttunneler'][Math.floor(random() * 3)] as string
  const extensions = [
    Buffer.concat([u16(0), vector(2, vector(2, Buffer.from([0]), vector(2, name)))]),
    Buffer.concat([u16(16), vector(2, vector(2, vector(1, Buffer.from(alpn))))]),
    Buffer.concat([u16(0x0a0a), vector(2, Buffer.alloc(Math.floor(random() * 40)))]),
  ]
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 1)),
    vector(2, u16(0x1301)),
    vector(1, Buffer.from([0])),
    vector(2, ...extensions),
  ])
  const message = Buffer.concat([Buffer.from([1]), vector(3, body)])
  const size = random() < 0.5 ? message.length : 1 + Math.floor(random() * message.length)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size)
    records.push(Buffer.concat([Buffer.from([22, 3, 1]), vector(2, message.subarray(at, at + size))]))
  return Buffer.concat(records)
}

/** @throws with the input when the reader throws, or changes a verdict when more bytes are there */
export function runCases({ seed, cases }: { readonly seed: number; readonly cases: number }): {
  hellos: number
} {
  const random = seededRandom(seed)
  let hellos = 0
  for (let n = 0; n < cases; n++) {
    const bytes = makeHello(random)
    for (let hits = Math.floor(random() * 3); hits > 0; hits--)
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
    const cut = Math.floor(random() * bytes.length)
    try {
      const early = sniffClientHello(bytes.subarray(0, cut))
      const verdict = sniffClientHello(bytes)
      if (early === 'malformed' && verdict !== 'malformed')
        throw new Error('what was malformed became something')
      if (typeof verdict === 'object') hellos += 1
    } catch (error) {
      throw new Error(`seed ${seed}, case ${n}: ${bytes.toString('hex')}`, { cause: error })
    }
  }
  return { hellos }
}
