/** Minecraft Java's status request, the part of its protocol that a list of servers uses: a server and a client. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { dial } from '../harness/sockets.ts'

const status = JSON.stringify({
  version: { name: '1.21', protocol: 767 },
  players: { max: 20, online: 0 },
  description: { text: 'A stand-in' },
})

export type Stop = () => Promise<void>

/** Answers each status request, and closes what says anything else. */
export async function startMinecraft(port: number): Promise<Stop> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    void answer(socket).catch(() => socket.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return async () => {
    server.close()
    await once(server, 'close')
  }
}

async function answer(socket: Socket): Promise<void> {
  let held = Buffer.alloc(0)
  for await (const chunk of socket) {
    held = Buffer.concat([held, chunk])
    const packets = packetsOf(held)
    // The handshake ends with the wanted state, 1 for a status; then comes an empty request.
    if (packets.length < 2) continue
    const [handshake, request] = packets
    if (handshake?.at(-1) !== 1 || request?.length !== 1 || request[0] !== 0)
      throw new Error('not a status request')
    return void socket.end(packet(Buffer.concat([Buffer.of(0), text(status)])))
  }
}

/** Asks as the game does. @returns the text of the answer */
export async function askMinecraft(port: number): Promise<string> {
  const socket = await dial({ host: '127.0.0.1', port })
  const address = Buffer.concat([text('localhost'), Buffer.of(port >> 8, port & 0xff)])
  const handshake = Buffer.concat([Buffer.of(0), varInt(767), address, Buffer.of(1)])
  socket.write(Buffer.concat([packet(handshake), packet(Buffer.of(0))]))
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  const [said] = packetsOf(Buffer.concat(chunks))
  if (!said) throw new Error('no whole answer')
  const [length, start] = readVarInt(said, 1)
  return said.subarray(start, start + length).toString('utf8')
}

function packet(content: Buffer): Buffer {
  return Buffer.concat([varInt(content.length), content])
}

function text(words: string): Buffer {
  return packet(Buffer.from(words, 'utf8'))
}

/** Seven bits a byte, the lowest first; the top bit says that more follow. */
function varInt(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
    rest >>>= 7
  } while (rest > 0)
  return Buffer.from(bytes)
}

/** @returns the number and where it ends; the end is NaN while it is not all there */
function readVarInt(bytes: Buffer, from: number): readonly [value: number, end: number] {
  let value = 0
  for (let at = from; at < from + 5; at += 1) {
    const byte = bytes[at]
    if (byte === undefined) return [0, Number.NaN]
    value |= (byte & 0x7f) << (7 * (at - from))
    if (byte < 0x80) return [value, at + 1]
  }
  throw new Error('a number of more than five bytes')
}

function packetsOf(bytes: Buffer): readonly Buffer[] {
  const packets: Buffer[] = []
  let at = 0
  while (at < bytes.length) {
    const [length, start] = readVarInt(bytes, at)
    if (Number.isNaN(start) || start + length > bytes.length) break
    packets.push(bytes.subarray(start, start + length))
    at = start + length
  }
  return packets
}
