/** Frames of HTTP/2 by hand, for visitors that no client library would be. RFC 9113 section 4, RFC 7541 section 6.2. */
import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'

export const Type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

const endStream = 1
const endHeaders = 4

export function frame(type: number, stream: number, payload: Buffer = Buffer.alloc(0), flags = 0): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** The beginning of a connection, with these settings. */
export function opening(settings: readonly (readonly [id: number, value: number])[] = []): Buffer {
  const payload = Buffer.alloc(6 * settings.length)
  for (const [index, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, 6 * index)
    payload.writeUInt32BE(value, 6 * index + 2)
  }
  return Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(Type.settings, 0, payload)])
}

/** A field without compression; both texts have less than 127 bytes. */
export function field(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.of(0x10, name.length),
    Buffer.from(name, 'latin1'),
    Buffer.of(value.length),
    Buffer.from(value, 'latin1'),
  ])
}

const usual = Buffer.concat(
  Object.entries({ ':method': 'GET', ':scheme': 'https', ':authority': 'a.test', ':path': '/' }).map(
    ([name, value]) => field(name, value),
  ),
)

/** A request of `a.test`; `more` is already in HPACK. */
export function request(
  stream: number,
  { more = Buffer.alloc(0), isOpen = false, isCut = false } = {},
): Buffer {
  const flags = (isOpen ? 0 : endStream) | (isCut ? 0 : endHeaders)
  return frame(Type.headers, stream, Buffer.concat([usual, more]), flags)
}

export function reset(stream: number, code = 8): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(code)
  return frame(Type.reset, stream, payload)
}

/** The codes of the GOAWAY frames that come. */
export function goaways(socket: Socket): number[] {
  const codes: number[] = []
  let seen = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk])
    while (seen.length >= 9 && seen.length >= 9 + seen.readUIntBE(0, 3)) {
      const end = 9 + seen.readUIntBE(0, 3)
      if (seen[3] === Type.goaway) codes.push(seen.readUInt32BE(13))
      seen = seen.subarray(end)
    }
  })
  return codes
}
